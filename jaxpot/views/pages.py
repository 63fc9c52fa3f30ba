"""HTML pages that need no network: their charts, and templates that escape every value."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxpot import formatting as words
from jaxpot.views.charts import CONFIG, chart, library, styles_of
from jaxpot.views.curves import Curve

if TYPE_CHECKING:
    import duckdb
    from jinja2 import Environment

_GENERATOR = "jaxpot"
_HEAD_BYTES = 4096
_CURVE_HEIGHT = 210
_STAY_HEIGHT = 13
# The page's own styles set the background, which is dark in a dark theme.
_PAGE_CONFIG = {**CONFIG, "background": "transparent"}
_EVENTS = """
SELECT iter, event, name FROM league WHERE uid = $1 AND name IS NOT NULL
ORDER BY iter, list_position(['drop', 'release', 'add', 'archive', 'recall'], event), name
"""
_PLACES = ("league", "archive", "recalled")
_COLOURS = ("#0072B2", "#56B4E9", "#D55E00")
_ENTERS = {"add": "league", "archive": "archive", "recall": "recalled", "release": "archive"}
_MOST_ENTRIES = 60


class Figure(NamedTuple):
    """A chart in a page: title, description for a screen reader, and a line below it."""

    identifier: str
    title: str
    description: str
    small: str
    chart: dict[str, Any]
    """What Vega-Lite draws."""


def render(template: str, figures: Sequence[Figure], **values: Any) -> str:
    """Render a page from a template that extends `base.html`.

    The page loads nothing and runs only the scripts written into it here: its content policy lists
    their digests, and Vega evaluates expressions without generating code from text.
    """
    from markupsafe import Markup

    from jaxpot import __version__

    drawing = resources.files("jaxpot.views").joinpath("templates/page.js")
    scripts = [*([library()] if figures else []), drawing.read_text(encoding="utf-8")]
    # These scripts are ours; no string in them may end the element.
    inert = [code.replace("</script", "<\\/script").replace("<!--", "<\\!--") for code in scripts]
    return (
        environment()
        .get_template(template)
        .render(
            values,
            generator=f"{_GENERATOR} {__version__}",
            figures=figures,
            scripts=[Markup(code) for code in inert],  # noqa: S704
            sources=[_source(code) for code in inert],
        )
    )


@cache
def environment() -> Environment:
    """Return the templates' environment: it escapes values and refuses unknown names."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("jaxpot.views"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return made


def is_ours(path: Path) -> bool:
    """Check whether a file is a page that jaxpot wrote."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return f'<meta name="generator" content="{_GENERATOR} '.encode() in head


def _printable(value: Any) -> Any:
    """Return a value's text without control characters, and a template's markup unchanged."""
    from markupsafe import Markup

    if value is None or isinstance(value, Markup):
        return value or ""
    return words.printable(str(value))


def _source(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


class Curves(NamedTuple):
    """Learning curves: one figure for each key; label, colour and dashes of each line."""

    legend: list[tuple[str, str, str]]
    figures: list[Figure]


class Stay(NamedTuple):
    """An entry's time in one place, in iterations."""

    name: str
    place: str
    start: int
    end: int


def curves_page(curves: Sequence[Curve], *, x_title: str, log_y: bool = False) -> str:
    """Render a page of learning curves only."""
    shown = learning_curves(curves, x_title=x_title, log_y=log_y)
    names = dict.fromkeys(run.name for curve in curves for run in curve.group.runs)
    keys = dict.fromkeys(curve.key for curve in curves)
    return render(
        "curves.html", shown.figures, curves=shown, names=", ".join(names), keys=", ".join(keys)
    )


def learning_curves(curves: Sequence[Curve], *, x_title: str, log_y: bool = False) -> Curves:
    """Draw curves, one figure for each key."""
    styles = styles_of(curves)
    dashes = [" ".join(str(2 * n) for n in dash) if dash[1] else "" for dash in styles.dashes]
    figures: list[Figure] = []
    for number, key in enumerate(dict.fromkeys(curve.key for curve in curves)):
        together = [curve for curve in curves if curve.key == key]
        drawn = chart(together, styles, x_title=x_title, log_y=log_y, interactive=True)
        described = f"{key} by {x_title}. {_ends(together)}"
        fitted = _fitted(drawn, height=_CURVE_HEIGHT, described=described)
        figures.append(Figure(f"curve-{number}", key, described, _gaps(together), fitted))
    return Curves(list(zip(styles.labels, styles.colours, dashes, strict=True)), figures)


def lineage(found: list[Stay], identifier: str) -> Figure:
    """Draw a bar for each time that an entry was in the league, archived or recalled."""
    drawn, left_out = lineage_chart(found)
    count = len({stay.name for stay in found})
    described = f"The times that {count} entries were in the league, archived or recalled"
    fitted = _fitted(drawn, height={"step": _STAY_HEIGHT}, described=described)
    small = f"The {left_out} oldest entries are left out." if left_out else ""
    return Figure(identifier, "Lineage", described, small, fitted)


def league_stays(connection: duckdb.DuckDBPyConnection, uid: str, end: int) -> list[Stay]:
    """Read every stay in a run's league."""
    return stays(connection.execute(_EVENTS, [uid]).fetchall(), end)


def stays(events: Iterable[tuple[int, str, str]], end: int) -> list[Stay]:
    """Compute stays from a league's changes.

    Args:
        events: Iteration, kind (add, archive, drop, recall, release) and entry, in order.
        end: Number of iterations of the run, where open stays end.
    """
    now: dict[str, tuple[str, int]] = {}
    found: list[Stay] = []
    for iteration, event, name in events:
        place, start = now.pop(name, ("", iteration))
        if place and iteration > start:
            found.append(Stay(name, place, start, iteration))
        if event in _ENTERS:
            now[name] = (_ENTERS[event], iteration)
    found += [Stay(name, place, start, end) for name, (place, start) in now.items() if end > start]
    return sorted(found, key=lambda stay: (stay.name, stay.start))


def lineage_chart(found: list[Stay]) -> tuple[dict[str, Any], int]:
    """Return the chart of a league over time, and how many oldest entries it leaves out."""
    names = sorted({stay.name for stay in found})
    shown = names[-_MOST_ENTRIES:]
    values = [stay._asdict() for stay in found if stay.name in set(shown)]
    fields = [{"field": name} for name in ("name", "place", "start", "end")]
    colour = {"domain": list(_PLACES), "range": list(_COLOURS)}
    spec: dict[str, Any] = {
        "data": {"values": values},
        "mark": {"type": "bar", "height": 7, "cornerRadius": 1},
        "encoding": {
            "y": {
                "field": "name",
                "type": "nominal",
                "sort": shown,
                "title": None,
                "axis": {"labelLimit": 110, "grid": False, "ticks": False},
            },
            "x": {"field": "start", "type": "quantitative", "title": "iteration"},
            "x2": {"field": "end"},
            "color": {
                "field": "place",
                "type": "nominal",
                "scale": colour,
                "legend": {"title": None, "orient": "top", "symbolType": "square"},
            },
            "tooltip": fields,
        },
    }
    return spec, len(names) - len(shown)


def _fitted(
    chart: dict[str, Any], *, height: int | dict[str, int], described: str
) -> dict[str, Any]:
    """Make a chart as wide as the page, and add its description in words."""
    return {
        **chart,
        "description": described,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": _PAGE_CONFIG,
    }


def _ends(curves: Sequence[Curve]) -> str:
    """Say in words where curves end, for people who cannot see them."""
    ends = []
    for curve in curves:
        values = [point.y for point in curve.points if point.y is not None]
        if values:
            ends.append(f"{curve.group.label} ends at {words.number(values[-1])}")
    return "; ".join(ends)


def _gaps(curves: Sequence[Curve]) -> str:
    gaps = [
        f"{curve.group.label}: {curve.gaps} of {curve.total} points cannot be drawn"
        for curve in curves
        if curve.gaps
    ]
    gaps += [
        f"{curve.group.label}: {curve.partial} iterations that not every seed has are left out"
        for curve in curves
        if curve.partial > 0
    ]
    return "; ".join(gaps)
