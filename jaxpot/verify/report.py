"""The report of a verification, and the determinism grade that it adds to a run.

A grade says under which conditions a run was seen to repeat itself. It is kept as an event in the
run's journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from jaxpot.journal import JOURNAL_NAME, Event, Journal, records
from jaxpot.store.runs import RunLock
from jaxpot.verify.compare import Comparison, decimal, hexadecimal

GRADE = "grade"
"""The event that holds a run's grade; the newest one counts."""

ASPECTS = {
    "same_process": "same process",
    "other_process": "other process",
    "other_chunking": "other chunking",
    "resumed": "resumed",
    "other_thread_count": "other thread count",
    "other_device_count": "other device count",
}
"""The aspects of a grade, in words."""

NOT_TRIED = "not tried"

_EXIT_CODES = {
    "identical": 0,
    "updated": 0,
    "not_comparable": 2,
    "missing": 2,
    "within": 3,
    "different": 3,
}
_SHOWN_KEYS = 8

Grade = dict[str, dict[str, Any]]


def aspect(comparison: Comparison) -> dict[str, Any]:
    """Return one aspect of a grade, from a comparison."""
    first = comparison.first
    return {
        "verdict": comparison.verdict,
        "iterations": comparison.iterations,
        "max_difference": comparison.max_difference,
        "iteration": None if first is None else first.iteration,
        "key": None if first is None else first.key,
    }


def complete_grade(found: Mapping[str, Any]) -> Grade:
    """Return a grade with every aspect; those missing from `found` are not tried."""
    return {name: dict(found.get(name) or {"verdict": NOT_TRIED}) for name in ASPECTS}


def read_grade(folder: Path) -> Grade:
    """Read the newest grade from a run's journal."""
    newest: dict[str, Any] = {}
    for record in records(folder / JOURNAL_NAME, Event):
        if record.name == GRADE:
            newest = record.payload or {}
    return complete_grade({k: v for k, v in newest.items() if isinstance(v, dict)})


def add_to_grade(folder: Path, found: Mapping[str, Any], *, attempt: int) -> Grade:
    """Add aspects to a run's grade, as an event of its journal, and return the whole grade.

    Raises:
        UserError: Another process writes the run, or its journal cannot be written.
        OSError: The run's folder cannot be written to.
    """
    with RunLock(folder):
        grade = complete_grade(read_grade(folder) | dict(found))
        with Journal(folder / JOURNAL_NAME) as journal:
            journal.append(Event(name=GRADE, attempt=attempt, payload=grade))
            journal.sync()
    return grade


def aspect_in_words(found: Mapping[str, Any]) -> str:
    """Describe one aspect of a grade."""
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


@attrs.frozen(kw_only=True)
class Compared:
    """A comparison and the names of its sides."""

    a: str
    b: str
    comparison: Comparison


@attrs.frozen(kw_only=True)
class Report:
    """The report of a verification.

    Attributes:
        subject: What was verified, in words.
        differs: Why nothing can be compared, or what differs apart from the bits.
        outcome: `compared`; `not_comparable`; or of a golden file, `missing` (it has no entry for
            this machine) or `updated`.
    """

    subject: str
    compared: tuple[Compared, ...] = ()
    differs: tuple[str, ...] = ()
    outcome: Literal["compared", "not_comparable", "missing", "updated"] = "compared"
    notes: tuple[str, ...] = ()
    grade: Grade | None = None

    @property
    def verdict(self) -> str:
        """The worst of all comparisons (identical, within, different), or why there is none."""
        if self.outcome != "compared":
            return self.outcome
        found = {each.comparison.verdict for each in self.compared}
        return next((worst for worst in ("different", "within") if worst in found), "identical")

    @property
    def exit_code(self) -> int:
        """The process's exit status."""
        return _EXIT_CODES[self.verdict]

    def record(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "verdict": self.verdict,
            "subject": self.subject,
            "comparisons": [
                {"a": each.a, "b": each.b, **each.comparison.record()} for each in self.compared
            ],
            "differs": list(self.differs),
            "notes": list(self.notes),
            "grade": self.grade,
        }

    def text(self) -> str:
        """Return it as text for people."""
        lines = [f"{self.verdict.replace('_', ' ')}: {self.subject}"]
        lines += [f"  {text}" for text in self.differs]
        for each in self.compared:
            lines += ["", *_lines(each)]
        if self.grade is not None:
            width = max(map(len, ASPECTS.values()))
            lines += ["", "determinism grade"]
            lines += [
                f"  {words.ljust(width)}  {aspect_in_words(self.grade[name])}"
                for name, words in ASPECTS.items()
            ]
        return "\n".join(lines)


def _lines(compared: Compared) -> list[str]:
    a, b, found, first = compared.a, compared.b, compared.comparison, compared.comparison.first
    if first is None:
        return [
            f"{a} and {b}: {_count(found.iterations, 'iteration')}, "
            f"{_count(found.iterations, 'state digest')} and {_count(found.values, 'value')} equal"
        ]
    lines = [f"{a} and {b}: first difference at iteration {first.iteration}", f"  {first.key}"]
    width = max(len(a), len(b))
    for name, value in ((a, first.a), (b, first.b)):
        said = "absent" if value is None else f"{hexadecimal(value)}  {decimal(value)!r}"
        lines.append(f"    {name.ljust(width)}  {said}")
    if first.others:
        more = len(first.others) - _SHOWN_KEYS
        lines.append(f"  also different: {', '.join(first.others[:_SHOWN_KEYS])}")
        lines[-1] += f" and {more} more" if more > 0 else ""
    if found.max_difference is not None and found.max_at is not None:
        iteration, key = found.max_at
        most = f"{found.max_difference:.3g} ({key} at iteration {iteration})"
        lines.append(f"  largest difference in {_count(found.iterations, 'iteration')}: {most}")
    return lines


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
