"""What a verification found, for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from jaxpot.verify.compare import Comparison, Difference, decimal, hexadecimal
from jaxpot.verify.grade import ASPECTS, Grade, in_words

IDENTICAL, DIFFERENT, NOT_COMPARABLE = 0, 3, 2

_EXIT_CODES = {"identical": IDENTICAL, "updated": IDENTICAL, "within": DIFFERENT}
_EXIT_CODES |= {"different": DIFFERENT, "not_comparable": NOT_COMPARABLE}
_EXIT_CODES |= {"missing": NOT_COMPARABLE}


@attrs.frozen(kw_only=True)
class Compared:
    """One comparison and the names of its sides."""

    a: str
    b: str
    comparison: Comparison

    def record(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {"a": self.a, "b": self.b, **self.comparison.record()}


@attrs.frozen(kw_only=True)
class Report:
    """What a verification found.

    Attributes:
        subject: What was verified, in words.
        compared: Every comparison that decides the verdict.
        differs: Why it cannot be compared, or what differs beside the bits.
        comparable: Whether it was compared.
        notes: What else is worth a line.
        grade: The determinism grade; None where nothing was graded.
        missing: Whether a golden file has no entry for this machine.
        updated: Whether a golden file was written.
    """

    subject: str
    compared: tuple[Compared, ...] = ()
    differs: tuple[str, ...] = ()
    comparable: bool = True
    notes: tuple[str, ...] = ()
    grade: Grade | None = None
    missing: bool = False
    updated: bool = False

    @property
    def verdict(self) -> str:
        """The worst of all comparisons: identical, within, different; or why there is none."""
        if self.updated:
            return "updated"
        if self.missing:
            return "missing"
        if not self.comparable:
            return "not_comparable"
        order = ("different", "within")
        found = {each.comparison.verdict for each in self.compared}
        return next((verdict for verdict in order if verdict in found), "identical")

    @property
    def exit_code(self) -> int:
        """The process's exit status."""
        return _EXIT_CODES[self.verdict]

    def record(self) -> dict[str, Any]:
        """Returns it as `--json` prints it."""
        return {
            "verdict": self.verdict,
            "subject": self.subject,
            "comparisons": [each.record() for each in self.compared],
            "differs": list(self.differs),
            "notes": list(self.notes),
            "grade": self.grade,
        }

    def text(self) -> str:
        """Returns it for people."""
        head = f"{self.verdict.replace('_', ' ')}: {self.subject}"
        lines = [head, *(f"  {text}" for text in self.differs)]
        for each in self.compared:
            lines += ["", *_lines(each)]
        if self.grade is not None:
            lines += ["", "determinism grade", *_grade_lines(self.grade)]
        return "\n".join(lines)


def _lines(compared: Compared) -> list[str]:
    found = compared.comparison
    between = f"{compared.a} and {compared.b}"
    if found.first is None:
        return [
            f"{between}: {_count(found.iterations, 'iteration')}, "
            f"{_count(found.iterations, 'state digest')} and {_count(found.values, 'value')} equal"
        ]
    lines = [f"{between}: first difference at iteration {found.first.iteration}"]
    lines += _sides(found.first, compared.a, compared.b)
    if found.first.others:
        count = len(found.first.others)
        lines.append(f"  differing with it: {', '.join(found.first.others[:8])}")
        lines[-1] += f" and {count - 8} more" if count > 8 else ""
    if found.max_difference is not None and found.max_at is not None:
        iteration, key = found.max_at
        most = f"{found.max_difference:.3g} ({key} at iteration {iteration})"
        lines.append(f"  largest difference in {_count(found.iterations, 'iteration')}: {most}")
    return lines


def _sides(difference: Difference, a: str, b: str) -> list[str]:
    width = max(len(a), len(b))
    lines = [f"  {difference.key}"]
    for name, value in ((a, difference.a), (b, difference.b)):
        said = "absent" if value is None else f"{hexadecimal(value)}  {decimal(value)!r}"
        lines.append(f"    {name.ljust(width)}  {said}")
    return lines


def _grade_lines(grade: Mapping[str, Mapping[str, Any]]) -> list[str]:
    width = max(map(len, ASPECTS.values()))
    return [f"  {words.ljust(width)}  {in_words(grade[name])}" for name, words in ASPECTS.items()]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
