"""Compare two traces bit by bit: where they first differ, and by how much at most.

A trace is a run's iterations in order, each with the state's digest and every payload value that is
not a time. It is read from the store's tables or from a journal.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import attrs

from jaxpot.journal import Keys, Payload, live_payloads, records
from jaxpot.store import Store

Verdict = Literal["identical", "within", "different"]
Value = int | float | str | None

STATE_DIGEST = "state digest"
"""The key of a difference in the digest of the whole state."""

ITERATION = "iteration"
"""The key of a difference where only the first side has an iteration."""

_NOT_JSON = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_WINDOW = 1000  # iterations read at once, so that a run of any length fits the memory

_LIVE = """
FROM {table} AS x
JOIN spans AS s ON s.run_id = x.run_id AND s.attempt = x.attempt AND x.iter < s.live_until
JOIN runs AS r ON r.run_id = x.run_id
"""
_LAST = "SELECT max(x.iter)" + _LIVE.format(table="iters") + "WHERE r.uid = $uid"
_CHOSEN = "WHERE r.uid = $uid AND x.iter >= $start AND x.iter < $stop AND (x.iter + 1) % $every = 0"
_DIGESTS = "SELECT x.iter, x.digest" + _LIVE.format(table="iters") + _CHOSEN + " ORDER BY x.iter"
_VALUES = (
    "SELECT x.iter, k.name, k.dtype, x.value"
    + _LIVE.format(table="metrics")
    + "JOIN keys AS k ON k.run_id = x.run_id AND k.key_id = x.key_id "
    + _CHOSEN
    + " AND k.wall_clock IS NOT TRUE ORDER BY x.iter, k.key_id"
)


class Row(NamedTuple):
    """One iteration of a trace.

    Attributes:
        digest: The state's digest after it, 16 hex digits; None where none was recorded.
        values: The payload without its times.
    """

    iteration: int
    digest: str | None
    values: Mapping[str, int | float]


def recorded_iterations(store: Store, uid: str) -> int:
    """Return how many iterations of a run the store's tables hold, from 0 to the last one."""
    with store.reading() as connection:
        found = connection.execute(_LAST, {"uid": uid}).fetchone()
    return 0 if found is None or found[0] is None else found[0] + 1


def recorded_rows(
    store: Store, uid: str, *, start: int = 0, stop: int, every: int = 1
) -> Iterator[Row]:
    """Yield the live rows of a run from the store's tables, in order.

    Only iterations `t` with `start <= t < stop` and `(t + 1) % every == 0`.
    """
    width = _WINDOW * every
    for first in range(start, stop, width):
        chosen = {"uid": uid, "start": first, "stop": min(first + width, stop), "every": every}
        with store.reading() as connection:
            digests = connection.execute(_DIGESTS, chosen).fetchall()
            values = connection.execute(_VALUES, chosen).fetchall()
        by_iteration: dict[int, dict[str, int | float]] = {}
        for iteration, key, dtype, value in values:
            row = by_iteration.setdefault(iteration, {})
            row[key] = int(value) if dtype == "int" and math.isfinite(value) else value
        for iteration, digest in digests:
            yield Row(iteration, digest, by_iteration.get(iteration, {}))


def journal_rows(path: Path) -> Iterator[Row]:
    """Yield the live rows of a journal, in order."""
    keys = records(path, Keys)
    times = frozenset(name for record in keys for name in times_in(record))
    for record in live_payloads(path):
        yield row_of(record, times)


def times_in(record: Keys) -> frozenset[str]:
    """Return the payload keys that a record of the kind `keys` declares as times."""
    return frozenset(key.name for key in record.keys if key.wall_clock)


def row_of(record: Payload, times: frozenset[str]) -> Row:
    """Return the row of a journal's payload record, without the keys in `times`."""
    values = {
        key: _NOT_JSON.get(value, math.nan) if isinstance(value, str) else value
        for key, value in record.values.items()
        if key not in times
    }
    return Row(record.iter, record.digest, values)


@attrs.frozen
class Difference:
    """The first difference between two traces.

    Attributes:
        key: A payload key, `state digest` or `iteration`.
        a, b: The value on each side; None where it is absent.
        others: Further keys that differ in this iteration.
    """

    iteration: int
    key: str
    a: Value
    b: Value
    others: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return {
            "iteration": self.iteration,
            "key": self.key,
            "a": {"hex": hexadecimal(self.a), "decimal": decimal(self.a)},
            "b": {"hex": hexadecimal(self.b), "decimal": decimal(self.b)},
            "others": list(self.others),
        }


@attrs.frozen(kw_only=True)
class Comparison:
    """The result of comparing two traces.

    Attributes:
        verdict: `identical`; `within`, if only floats and state digests differ, by at most
            `max_difference`; or `different`.
        iterations, values: How many were compared.
        max_difference: The largest difference between two finite values, at `max_at`; None if the
            comparison stopped at the first difference.
    """

    verdict: Verdict
    iterations: int
    values: int
    first: Difference | None = None
    max_difference: float | None = None
    max_at: tuple[int, str] | None = None

    def record(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return {
            "verdict": self.verdict,
            "iterations": self.iterations,
            "values": self.values,
            "first_difference": None if self.first is None else self.first.record(),
            "max_difference": self.max_difference,
            "max_at": None if self.max_at is None else list(self.max_at),
        }


def compare(expected: Iterable[Row], found: Iterable[Row], *, stop: bool = True) -> Comparison:
    """Compare two traces iteration by iteration, bit by bit.

    NaNs count as equal, because records do not hold their bits.

    Args:
        expected: The iterations to compare, in order.
        found: The other side; its iterations that are not in `expected` are ignored.
        stop: Stop at the first difference; otherwise the largest difference is found too.
    """
    iterations = values = 0
    first: Difference | None = None
    largest, largest_at, apart = 0.0, None, False
    for a, b in paired(expected, found):
        iterations += 1
        values += len(a.values)
        keys = differing_keys(a, b)
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
    return Comparison(
        verdict="different" if stop or apart else "within",
        iterations=iterations,
        values=values,
        first=first,
        max_difference=None if stop else largest,
        max_at=None if stop else largest_at,
    )


def paired(expected: Iterable[Row], found: Iterable[Row]) -> Iterator[tuple[Row, Row | None]]:
    """Yield each expected row with the found row of its iteration, None if there is none."""
    others = iter(found)
    other = next(others, None)
    for row in expected:
        while other is not None and other.iteration < row.iteration:
            other = next(others, None)
        yield row, other if other is not None and other.iteration == row.iteration else None


def differing_keys(a: Row, b: Row | None) -> list[str]:
    """List what differs between two rows, in the payload's order, the state's digest last."""
    if b is None:
        return [ITERATION]
    keys = [*a.values, *(key for key in b.values if key not in a.values)]
    differing = [key for key in keys if not _same(a.values.get(key), b.values.get(key))]
    return differing + ([STATE_DIGEST] if a.digest != b.digest else [])


def hexadecimal(value: Value) -> str | None:
    """Return a value's bits: a float as the 64 bits of an IEEE 754 double."""
    if value is None:
        return None
    if isinstance(value, str):
        return f"0x{value}"
    return f"0x{struct.pack('>d', value).hex()}" if isinstance(value, float) else hex(value)


def decimal(value: Value) -> int | float | None:
    """Return a value as a number, a digest too."""
    return int(value, 16) if isinstance(value, str) else value


def _sides(a: Row, b: Row | None, key: str) -> tuple[Value, Value]:
    if b is None:
        return a.iteration, None
    if key == STATE_DIGEST:
        return a.digest, b.digest
    return a.values.get(key), b.values.get(key)


def _same(a: float | None, b: float | None) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return struct.pack("d", a) == struct.pack("d", b) or (math.isnan(a) and math.isnan(b))
    return type(a) is type(b) and a == b
