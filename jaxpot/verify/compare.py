"""Compares two traces: where they first differ, and by how much at most."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import attrs

from jaxpot.verify.trace import Row

Verdict = Literal["identical", "within", "different"]
Value = int | float | str | None

STATE_DIGEST = "state digest"
"""The key of a difference in the digest of the whole state."""

ITERATION = "iteration"
"""The key of a difference where one side has an iteration and the other has not."""


@attrs.frozen
class Difference:
    """The first place in which two traces differ.

    Attributes:
        iteration: Its number, from 0.
        key: A payload key, `state digest` or `iteration`.
        a: The value on the first side; None where it is absent.
        b: The value on the second side; None where it is absent.
        others: Further keys that differ in this iteration.
    """

    iteration: int
    key: str
    a: Value
    b: Value
    others: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {
            "iteration": self.iteration,
            "key": self.key,
            "a": {"hex": hexadecimal(self.a), "decimal": decimal(self.a)},
            "b": {"hex": hexadecimal(self.b), "decimal": decimal(self.b)},
            "others": list(self.others),
        }


@attrs.frozen(kw_only=True)
class Comparison:
    """What comparing two traces gave.

    Attributes:
        verdict: `identical`; `within`, where only fractions and state digests differ, by
            `max_difference` at most; or `different`.
        iterations: How many were compared.
        values: How many payload values were compared.
        first: The first difference.
        max_difference: The largest difference of two finite values, and `max_at` where; None
            where the comparison stopped at the first difference.
    """

    verdict: Verdict
    iterations: int
    values: int
    first: Difference | None = None
    max_difference: float | None = None
    max_at: tuple[int, str] | None = None

    def record(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {
            "verdict": self.verdict,
            "iterations": self.iterations,
            "values": self.values,
            "first_difference": None if self.first is None else self.first.record(),
            "max_difference": self.max_difference,
            "max_at": None if self.max_at is None else list(self.max_at),
        }


def compare(expected: Iterable[Row], found: Iterable[Row], *, stop: bool = True) -> Comparison:
    """Compares two traces iteration by iteration, bit by bit.

    NaNs are equal: a record does not hold their bits.

    Args:
        expected: The iterations to compare, in order.
        found: The other side; iterations that `expected` has not are passed over.
        stop: Whether to stop at the first difference; else the largest difference is found too.
    """
    iterations = values = 0
    first: Difference | None = None
    largest, largest_at, apart = 0.0, None, False
    for a, b in _paired(expected, found):
        iterations += 1
        values += len(a.values)
        keys = _differing(a, b)
        if keys and first is None:
            first = Difference(a.iteration, keys[0], *_sides(a, b, keys[0]), tuple(keys[1:]))
        if keys and stop:
            break
        for key in keys:
            if key == STATE_DIGEST:
                continue
            x, y = _sides(a, b, key)
            if not (isinstance(x, float) and isinstance(y, float) and math.isfinite(x - y)):
                apart = True
            elif abs(x - y) > largest:
                largest, largest_at = abs(x - y), (a.iteration, key)
    if first is None:
        return Comparison(verdict="identical", iterations=iterations, values=values)
    known = not stop and not apart
    return Comparison(
        verdict="within" if known else "different",
        iterations=iterations,
        values=values,
        first=first,
        max_difference=None if stop else largest,
        max_at=None if stop else largest_at,
    )


def hexadecimal(value: Value) -> str | None:
    """Returns a value's bits: of a fraction the 64 of its IEEE 754 double."""
    if value is None:
        return None
    if isinstance(value, str):
        return f"0x{value}"
    return f"0x{struct.pack('>d', value).hex()}" if isinstance(value, float) else hex(value)


def decimal(value: Value) -> int | float | None:
    """Returns a value as a number, a digest too."""
    return int(value, 16) if isinstance(value, str) else value


def _paired(expected: Iterable[Row], found: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    """Yields each expected row with the found one of its iteration; an empty one where none is."""
    others = iter(found)
    other = next(others, None)
    for row in expected:
        while other is not None and other.iteration < row.iteration:
            other = next(others, None)
        if other is None or other.iteration > row.iteration:
            yield row, Row(row.iteration, None, {})
        else:
            yield row, other


def _differing(a: Row, b: Row) -> list[str]:
    """Lists what differs between two rows, in the payload's order, the state's digest last."""
    if not b.values and b.digest is None:
        return [ITERATION]
    keys = [*a.values, *(key for key in b.values if key not in a.values)]
    differing = [key for key in keys if not _same(a.values.get(key), b.values.get(key))]
    return differing + ([STATE_DIGEST] if a.digest != b.digest else [])


def _sides(a: Row, b: Row, key: str) -> tuple[Value, Value]:
    if key == STATE_DIGEST:
        return a.digest, b.digest
    if key == ITERATION:
        return a.iteration, None
    return a.values.get(key), b.values.get(key)


def _same(a: float | None, b: float | None) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return struct.pack("d", a) == struct.pack("d", b) or (math.isnan(a) and math.isnan(b))
    return type(a) is type(b) and a == b
