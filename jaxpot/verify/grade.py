"""The determinism grade of a run: under what it was seen to repeat itself, kept in its journal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxpot.journal import JOURNAL_NAME, Event, Journal, records
from jaxpot.store.runs import RunLock
from jaxpot.verify.compare import Comparison

GRADE = "grade"
"""Name of the event that holds a run's grade; the newest one counts."""

ASPECTS = {
    "same_process": "same process",
    "other_process": "other process",
    "other_chunking": "other chunking",
    "resumed": "resumed",
    "other_thread_count": "other thread count",
    "other_device_count": "other device count",
}
"""What a grade says something about, and in words."""

NOT_TRIED = "not tried"

Grade = dict[str, dict[str, Any]]


def entry(comparison: Comparison) -> dict[str, Any]:
    """Returns what a comparison says about one aspect."""
    first = comparison.first
    return {
        "verdict": comparison.verdict,
        "iterations": comparison.iterations,
        "max_difference": comparison.max_difference,
        "iteration": None if first is None else first.iteration,
        "key": None if first is None else first.key,
    }


def complete(found: Mapping[str, Any]) -> Grade:
    """Returns a grade with every aspect, those that are not in `found` as not tried."""
    return {name: dict(found.get(name) or {"verdict": NOT_TRIED}) for name in ASPECTS}


def stored(folder: Path) -> Grade:
    """Returns the newest grade in a run's journal."""
    newest: dict[str, Any] = {}
    for record in records(folder / JOURNAL_NAME, Event):
        if record.name == GRADE:
            newest = record.payload or {}
    return complete({k: v for k, v in newest.items() if isinstance(v, dict)})


def store(folder: Path, found: Mapping[str, Any], *, attempt: int) -> Grade:
    """Adds what was found to a run's grade, as an event of its journal, and returns all of it.

    Raises:
        UserError: The run is being written, or its journal cannot be.
        OSError: The run's folder cannot be written to.
    """
    with RunLock(folder):
        grade = complete(stored(folder) | dict(found))
        with Journal(folder / JOURNAL_NAME) as journal:
            journal.append(Event(name=GRADE, attempt=attempt, payload=grade))
            journal.sync()
    return grade


def in_words(found: Mapping[str, Any]) -> str:
    """Says one aspect in words."""
    verdict, count = found["verdict"], found.get("iterations")
    if verdict == NOT_TRIED:
        return NOT_TRIED
    over = f"({count} iteration{'' if count == 1 else 's'})"
    if verdict == "identical":
        return f"identical {over}"
    if verdict == "within":
        return f"within {found['max_difference']:.3g} {over}"
    most = found.get("max_difference")
    by = "" if most is None else f", by {most:.3g} at most where both are numbers"
    return f"different from iteration {found['iteration']} on: {found['key']}{by}"
