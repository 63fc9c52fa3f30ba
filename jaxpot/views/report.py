"""Write a report: one HTML page about runs, built from what the store knows of them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxpot import formatting as words
from jaxpot.views.compare import chosen_keys, compare, default_keys, recorded_keys, sense_of
from jaxpot.views.curves import curves
from jaxpot.views.pages import Stay, league_stays, learning_curves, lineage, render
from jaxpot.views.tables import (
    Table,
    attempt_cells,
    checkpoint_cells,
    gate_cells,
    letters,
    moment,
    number,
    tables,
)

if TYPE_CHECKING:
    from jaxpot.store.reader import Store

_COLUMNS = 200
_MOST_CHARTS = 24
_MOST_ROWS = 400
_SHARE_SHOWN = 0.0005
_GOOD = ("completed", "stopped", "running")
_EVALUATION = "eval_"

Run = Mapping[str, Any]


def report_page(
    store: Store,
    uids: Sequence[str],
    *,
    keys: Sequence[str] = (),
    x: str = "iteration",
    separate: bool = False,
) -> str:
    """Render a report of runs as an HTML page.

    Args:
        store: The store that has the runs.
        uids: The runs, at least one.
        keys: Names and globs of the curves; without any, evaluations, rewards and losses.
        x: The x axis of the curves.
        separate: Do not group seeds of one experiment.

    Raises:
        UserError: A run is not in the database, or no key matches one of `keys`.
    """
    with store.reading() as connection:
        found = compare(connection, uids, separate=separate)
        known = recorded_keys(connection, uids)
        wanted = chosen_keys(keys, known) if keys else _charted(known)
        every, x_title = curves(connection, found.groups, wanted, x=x, columns=_COLUMNS)
        stays = [league_stays(connection, run.uid, run.iterations) for run in found.runs]
    drawn = [curve for curve in every if curve.drawn]
    shown = learning_curves(drawn, x_title=x_title) if drawn else None
    grades = [_grade(store, run.uid) for run in found.runs]
    facts = [store.describe(run.uid) for run in found.runs]
    runs = [_run(*each, n) for n, each in enumerate(zip(facts, grades, stays, strict=True))]
    several = len(runs) > 1
    return render(
        "report.html",
        [*(shown.figures if shown else ()), *(run["lineage"] for run in runs if run["lineage"])],
        title=f"{len(runs)} runs" if several else runs[0]["name"],
        written=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        compared=tables(found) if several else (),
        notes=found.notes,
        curves=shown,
        runs=runs,
    )


def _charted(known: Sequence[str]) -> list[str]:
    rewards = [key for key in known if key.startswith("train_vs_")]
    chosen = [*default_keys(known)]
    evaluations = [key for key in chosen if key.startswith(_EVALUATION)]
    others = [key for key in chosen if key not in evaluations]
    return [*evaluations, *rewards, *others][:_MOST_CHARTS]


def _grade(store: Store, uid: str) -> dict[str, str]:
    """Return in words what `jaxpot verify` found, for each aspect that it tried."""
    from jaxpot.verify.report import ASPECTS, NOT_TRIED, aspect_in_words, read_grade

    verdicts: dict[str, str] = {}
    for aspect, found in read_grade(store.runs_dir / uid).items():
        try:
            verdicts[ASPECTS[aspect]] = aspect_in_words(found)
        except (KeyError, TypeError, ValueError):
            verdicts[ASPECTS[aspect]] = str(found.get("verdict"))  # from another jaxpot
    return {aspect: verdict for aspect, verdict in verdicts.items() if verdict != NOT_TRIED}


def _run(run: Run, grade: Mapping[str, str], stays: list[Stay], index: int) -> dict[str, Any]:
    """Return one run's part of a report; a table without rows is not shown."""
    target = "" if run["target"] is None else f" of {run['target']}"
    reason = f", {run['exit_reason']}" if run["exit_reason"] else ""
    events = run["league"]["events"] if run["league"] else {}
    return {
        **run,
        # The letter is the run's name in the comparison.
        "heading": f"{letters(index + 1)[-1]}: {run['name']} {run['uid']}",
        "mood": "good" if run["status"] in _GOOD else "bad",
        "progress": f"{run['iterations']}{target} iterations{reason}",
        "started": moment(run["started"]),
        "ended": moment(run["ended"]),
        "gates": _gates(run),
        "evaluations": _evaluations(run),
        "others": _others(run),
        "lineage": lineage(stays, f"league-{index}") if stays else None,
        "league_changes": ", ".join(f"{name} {count}" for name, count in events.items()),
        "standings": _standings(run),
        "time": _time(run),
        "checkpoints": _checkpoints(run),
        "warnings": _warnings(run),
        "provenance": _provenance(run),
        "grade": Table("Determinism, by `jaxpot verify`", ["repeated in", "was"], [*grade.items()]),
        "stretches": _attempts(run),
        "spec_text": _spec_text(run).rstrip(),
    }


def _gates(run: Run) -> Table:
    headers = ["metric", "at", "wanted", "of", "value", "verdict"]
    rows = [gate_cells(gate) for gate in run["expect"]]
    if not any(row[3] for row in rows):
        headers, *rows = ([*row[:3], *row[4:]] for row in (headers, *rows))
    return Table("What the spec expects of this run", headers, rows, right=(len(headers) - 2,))


def _measured(run: Run) -> list[str]:
    """Return the keys of whole evaluations; those of a single seat are among the others."""
    return [key for key in run["metrics"] if key.startswith(_EVALUATION) and key.count("/") == 1]


def _evaluations(run: Run) -> Table:
    headers = ["key", "last", "best", "at iteration"]
    rows = [[key, number(run["metrics"][key]), *_best(run, key)] for key in _measured(run)]
    return Table("Newest and best values", headers, rows, right=(1, 2, 3))


def _best(run: Run, key: str) -> tuple[str, str]:
    found, sense = run["best"].get(key), sense_of(key)
    if found is None or sense is None:
        return "-", "-"
    end = "max" if sense == "up" else "min"
    return number(found[end]), str(found[f"{end}_iter"])


def _others(run: Run) -> Table:
    measured, nothing = set(_measured(run)), {"min": "-", "max": "-"}
    rows = []
    for key, value in run["metrics"].items():
        if key not in measured:
            ends = run["best"].get(key) or nothing
            rows.append([key, number(value), number(ends["min"]), number(ends["max"])])
    return Table("Other keys", ["key", "last", "least", "greatest"], rows, right=(1, 2, 3))


def _standings(run: Run) -> Table:
    league = run["league"] or {"iter": None, "standings": ()}
    rows = [
        [
            row["name"],
            row["place"],
            "-" if row["score"] is None else number(row["score"]),
            "-" if row["rollouts"] is None else str(row["rollouts"]),
            "yes" if row["active"] else "no",
        ]
        for row in league["standings"][:_MOST_ROWS]
    ]
    title = f"Standings at iteration {league['iter']}, the strongest first"
    return Table(title, ["entry", "place", "score", "rollouts", "active"], rows, right=(2, 3))


def _time(run: Run) -> Table:
    """Return how the time was spent; the last cell is a bar's length in percent."""
    total = sum(run["time"].values())
    rows: list[list[str]] = []
    if total > 0:
        for name, seconds in run["time"].items():
            share = f"{100 * seconds / total:.1f}"
            if seconds / total >= _SHARE_SHOWN:
                rows.append([name, words.span(seconds), f"{share} %", share])
        rows.append(["all", words.span(total), "", ""])
    headers = ["on what", "time", "share", ""]
    return Table("Where the time went, all attempts", headers, rows, right=(1, 2))


def _checkpoints(run: Run) -> Table:
    rows = [checkpoint_cells(row) for row in run["checkpoints"] if row["state"] != "deleted"]
    headers = ["iteration", "kind", "state", "size", "took", "score", "path"]
    title = "Paths are relative to the runs directory"
    return Table(title, headers, rows[-_MOST_ROWS:], right=(0, 3, 4, 5))


def _warnings(run: Run) -> Table:
    rows = [
        [
            event["kind"],
            "" if event["iter"] is None else str(event["iter"]),
            json.dumps(event["payload"], ensure_ascii=False),
        ]
        for event in run["warnings"][:_MOST_ROWS]
    ]
    return Table("Events to be seen", ["kind", "iteration", "what"], rows, right=(1,))


def _provenance(run: Run) -> list[tuple[str, Any]]:
    found = run["provenance"]
    versions = ", ".join(f"{name} {version}" for name, version in (found["versions"] or {}).items())
    dirty = ", with uncommitted changes" if found["git_dirty"] else ""
    device = [f"{found['device_count'] or '?'} x {found['device_kind'] or '?'}", found["platform"]]
    return [
        ("spec digest", run["spec_digest"]),
        ("training digest", run["training_digest"]),
        ("deterministic", _deterministic(run["spec"])),
        ("contract", found["contract"]),
        ("commit", f"{found['git_commit']}{dirty}" if found["git_commit"] else None),
        ("device", " on ".join(part for part in device if part)),
        ("instruction set", found["isa"]),
        ("threads", found["nproc"]),
        ("XLA flags", found["xla_flags"]),
        ("versions", versions),
        ("host", found["host"]),
        ("command", " ".join(map(str, found["argv"] or ()))),
        ("parent", found["parent"]),
    ]


def _deterministic(spec: Any) -> str | None:
    runtime = spec.get("runtime") if isinstance(spec, dict) else None
    value = runtime.get("deterministic") if isinstance(runtime, dict) else None
    return None if value is None else ("yes" if value is True else str(value))


def _attempts(run: Run) -> Table:
    rows = [attempt_cells(row) for row in run["provenance"]["attempts"]]
    headers = ["attempt", "iterations", "status", "started", "reason"]
    return Table("Attempts", headers, rows, right=(0,))


def _spec_text(run: Run) -> str:
    """Return the spec with every default filled in."""
    if run["spec_toml"] is not None:
        return run["spec_toml"]
    return json.dumps(run["spec"], indent=2, ensure_ascii=False)
