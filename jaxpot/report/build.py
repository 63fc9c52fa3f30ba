"""A report of runs from the store: what is asked for, and in which order it stands."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxpot.charts import Curve, curves
from jaxpot.comparison import chosen_keys, compare, default_keys
from jaxpot.comparison.compare import Comparison, recorded_keys
from jaxpot.comparison.tables import letters, tables
from jaxpot.report import run as parts
from jaxpot.report.curves import curves_section, in_page
from jaxpot.report.league import Stay, lineage, lineage_chart
from jaxpot.report.markup import Html, element, table
from jaxpot.report.origin import provenance, spec, warnings
from jaxpot.report.page import chart_place, document

if TYPE_CHECKING:
    from jaxpot.store.reader import Store

_COLUMNS = 200
_ROW_HEIGHT = 13
_MOST_CHARTS = 24

Charts = dict[str, dict[str, Any]]


def report_page(
    store: Store,
    uids: Sequence[str],
    *,
    keys: Sequence[str] = (),
    x: str = "iteration",
    separate: bool = False,
) -> str:
    """Give a report of runs as a page.

    Args:
        store: Where they are.
        uids: The runs, one at least.
        keys: Names and globs of the curves; a choice of evaluations, rewards and losses without.
        x: What is to the right in the curves.
        separate: Take every run by itself, not seeds together.

    Raises:
        UserError: a run is not in the database, or nothing is called as `keys` says.
    """
    from jaxpot import __version__

    with store.reading() as connection:
        found = compare(connection, uids, separate=separate)
        known = recorded_keys(connection, uids)
        wanted = chosen_keys(keys, known) if keys else _charted(known)
        every, x_title = curves(connection, found.groups, wanted, x=x, columns=_COLUMNS)
        drawn = [curve for curve in every if curve.drawn]
        lines = {run.uid: lineage(connection, run.uid, run.iterations) for run in found.runs}
    facts: list[Mapping[str, Any]] = [
        {**store.describe(run.uid), "grade": _grade(store, run.uid)} for run in found.runs
    ]
    several = len(facts) > 1
    title = f"{len(facts)} runs" if several else str(facts[0]["name"])
    charts: Charts = {}
    body = [element("h1", title), _origin(__version__)]
    if several:
        body += [_contents(facts), *_comparison(found), *_curves(drawn, x_title, charts)]
    for number, run in enumerate(facts):
        if several:
            body.append(element("h2", _heading(run, number), id=f"run-{number}"))
        body += _run(run, lines[run["uid"]], number, charts, [] if several else drawn, x_title)
    return document(f"{title} - jaxpot report", body, charts, version=__version__)


def _charted(known: Sequence[str]) -> list[str]:
    rewards = [key for key in known if key.startswith("train_vs_")]
    chosen = [*default_keys(known)]
    evaluations = [key for key in chosen if key.startswith("eval_")]
    others = [key for key in chosen if key not in evaluations]
    return [*evaluations, *rewards, *others][:_MOST_CHARTS]


def _origin(version: str) -> Html:
    written = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return element("p", f"Written by jaxpot {version} on {written}", class_="small")


def _contents(facts: Sequence[Mapping[str, Any]]) -> Html:
    links = [
        element("li", element("a", _heading(run, number), href=f"#run-{number}"))
        for number, run in enumerate(facts)
    ]
    return element("nav", element("ul", *links), aria_label="Runs")


def _heading(run: Mapping[str, Any], number: int) -> str:
    """Name a run of several with the letter that the comparison gives it."""
    return f"{letters(number + 1)[-1]}: {run['name']} {run['uid']}"


def _grade(store: Store, uid: str) -> dict[str, str]:
    """Give what `jaxpot verify` found, in words, of what it tried."""
    from jaxpot.verification.grade import ASPECTS, NOT_TRIED, in_words, stored

    told: dict[str, str] = {}
    for aspect, found in stored(store.runs_dir / uid).items():
        try:
            told[ASPECTS[aspect]] = in_words(found)
        except (KeyError, TypeError, ValueError):
            told[ASPECTS[aspect]] = str(found.get("verdict"))  # of another jaxpot
    return {aspect: words for aspect, words in told.items() if words != NOT_TRIED}


def _comparison(found: Comparison) -> list[Html]:
    made = [element("h2", "Comparison")]
    for one in tables(found):
        if one.rows:
            made.append(table(one.headers, one.rows, caption=one.title, right=one.right))
        else:
            made.append(element("p", f"{one.title}: {one.empty}"))
    told = "Values are the last; \u00b1 and se are the standard error of a mean over seeds."
    return [*made, *(element("p", line, class_="small") for line in (told, *found.notes))]


def _curves(drawn: Sequence[Curve], x_title: str, charts: Charts) -> list[Html]:
    if not drawn:
        return []
    section, found = curves_section(drawn, x_title=x_title)
    charts |= found
    return [element("h2", "Learning curves"), *section]


def _run(
    run: Mapping[str, Any],
    stays: list[Stay],
    number: int,
    charts: Charts,
    drawn: Sequence[Curve],
    x_title: str,
) -> list[Html]:
    body = [*parts.result(run), *parts.gates(run), *_curves(drawn, x_title, charts)]
    if drawn:
        body.append(element("h2", "Details"))
    body += parts.evaluations(run)
    body += _league(run, stays, number, charts)
    for part in (parts.time, parts.checkpoints, warnings, provenance, spec):
        body += part(run)
    return body


def _league(run: Mapping[str, Any], stays: list[Stay], number: int, charts: Charts) -> list[Html]:
    rest = [*parts.league(run)]
    if not rest and not stays:
        return []
    body = [element("h3", "League")]
    if stays:
        chart, left_out = lineage_chart(stays)
        identifier = f"league-{number}"
        names = {stay.name for stay in stays}
        told = f"The times that {len(names)} entries were in the league, archived or recalled"
        charts[identifier] = in_page(chart, height={"step": _ROW_HEIGHT}, told=told)
        small = f"The {left_out} oldest entries are left out." if left_out else ""
        body.append(chart_place(identifier, title="Lineage", told=told, small=small))
    return [*body, *rest]
