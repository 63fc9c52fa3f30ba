"""One run's part of a report: what it came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jaxpot import formatting as words
from jaxpot.comparison import sense_of
from jaxpot.report.markup import Html, element, named, table
from jaxpot.sinks.cells import checkpoint_cells, gate_cells, moment, number

Facts = Mapping[str, Any]

_GOOD = ("completed", "stopped", "running")
_EVALUATION = "eval_"
_SHARE_SHOWN = 0.0005
MOST_ROWS = 400


def result(run: Facts) -> list[Html]:
    """Give what became of a run, and what was noted about it."""
    target = "" if run["target"] is None else f" of {run['target']}"
    mood = "good" if run["status"] in _GOOD else "bad"
    line = element(
        "p",
        element("span", run["status"], class_=f"status {mood}"),
        f" {run['iterations']}{target} iterations",
        f", {run['exit_reason']}" if run["exit_reason"] else None,
    )
    facts = named(
        [
            ("run", run["uid"]),
            ("seed", text_of(run["seed"])),
            ("started", moment(run["started"])),
            ("ended", moment(run["ended"])),
            ("attempts", text_of(run["attempts"])),
            ("tags", " ".join(run["tags"])),
            ("state digest", run["digest"]),
        ]
    )
    notes = [element("p", row["note"]) for row in run["notes"]]
    return [line, facts, *([element("h3", "Notes"), *notes] if notes else [])]


def gates(run: Facts) -> Iterator[Html]:
    """Give the verdicts of a run's learning gates."""
    if not run["expect"]:
        return
    rows = []
    for gate in run["expect"]:
        *cells, verdict = gate_cells(gate)
        mood = {"passed": "good", "missed": "bad"}.get(verdict)
        rows.append([*cells, element("span", verdict, class_=mood)])
    headers = ["metric", "at", "wanted", "of", "value", "verdict"]
    if not any(row[3] for row in rows):
        headers, *rows = ([*row[:3], *row[4:]] for row in (headers, *rows))
    yield element("h3", "Learning gates")
    caption = "What the spec expects of this run"
    yield table(headers, rows, caption=caption, right=(len(headers) - 2,))


def evaluations(run: Facts) -> Iterator[Html]:
    """Give what evaluators measured last and at best; seat by seat, and other keys, folded away."""
    every = [key for key in run["metrics"] if key.startswith(_EVALUATION)]
    measured = [key for key in every if key.count("/") == 1]
    if measured:
        yield element("h3", "Evaluations")
        headers = ["key", "last", "best", "at iteration"]
        rows = [[key, number(run["metrics"][key]), *_best(run, key)] for key in measured]
        yield table(headers, rows, caption="Newest and best values", right=(1, 2, 3))
    others = [key for key in run["metrics"] if key not in set(measured)]
    if others:
        rows = [[key, number(run["metrics"][key]), *map(number, _ends(run, key))] for key in others]
        shown = table(
            ["key", "last", "least", "greatest"], rows, caption="Other keys", right=(1, 2, 3)
        )
        yield element("details", element("summary", f"{len(others)} other keys"), shown)


def league(run: Facts) -> Iterator[Html]:
    """Give what the league held in the end; the chart of its lineage goes before."""
    found = run["league"]
    if found is None:
        return
    changes = ", ".join(f"{name} {count}" for name, count in found["events"].items())
    yield named(
        [
            ("entries", text_of(found["league_size"])),
            ("archived", text_of(found["league_archive_size"])),
            ("of these active", text_of(found["active_archive_size"])),
            ("changes", changes),
        ]
    )
    rows = [
        [
            row["name"],
            row["place"],
            "-" if row["score"] is None else number(row["score"]),
            text_of(row["rollouts"]) or "-",
            "yes" if row["active"] else "no",
        ]
        for row in found["standings"][:MOST_ROWS]
    ]
    if rows:
        headers = ["entry", "place", "score", "rollouts", "active"]
        caption = f"Standings at iteration {found['iter']}, the strongest first"
        yield table(headers, rows, caption=caption, right=(2, 3))


def checkpoints(run: Facts) -> Iterator[Html]:
    """Give the checkpoints that are there, and those that failed."""
    rows = [checkpoint_cells(row) for row in run["checkpoints"] if row["state"] != "deleted"]
    if rows:
        yield element("h3", "Checkpoints")
        headers = ["iteration", "kind", "state", "size", "took", "score", "path"]
        caption = "Paths are relative to the runs directory"
        yield table(headers, rows[-MOST_ROWS:], caption=caption, right=(0, 3, 4, 5))


def time(run: Facts) -> Iterator[Html]:
    """Give where the time went."""
    total = sum(run["time"].values())
    if not total > 0:
        return
    rows: list[list[str]] = []
    for name, seconds in run["time"].items():
        share = seconds / total
        if share >= _SHARE_SHOWN:
            bar = element("span", class_="bar", style=f"width:{100 * share:.1f}%")
            shown = element("span", bar, class_="share", aria_hidden="true")
            rows.append([name, words.span(seconds), f"{100 * share:.1f} %", shown])
    rows.append(["all", words.span(total), "", ""])
    yield element("h3", "Time")
    headers = ["on what", "time", "share", ""]
    yield table(headers, rows, caption="Where the time went, all attempts", right=(1, 2))


def _best(run: Facts, key: str) -> tuple[str, str]:
    found, sense = run["best"].get(key), sense_of(key)
    if found is None or sense is None:
        return "-", "-"
    end = "max" if sense == "up" else "min"
    return number(found[end]), str(found[f"{end}_iter"])


def _ends(run: Facts, key: str) -> tuple[Any, Any]:
    found = run["best"].get(key)
    return ("-", "-") if found is None else (found["min"], found["max"])


def text_of(value: Any) -> str:
    """Write a value; nothing where there is none."""
    return "" if value is None else str(value)
