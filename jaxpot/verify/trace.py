"""A run's trace: each iteration's state digest and every payload value that is not a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxpot.journal import Keys, Payload, live_payloads, records

if TYPE_CHECKING:
    from jaxpot.store import Store

_NOT_JSON = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_WINDOW = 1000  # iterations read at once: a run of any length fits the memory

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
    + _LIVE.format(table="points")
    + "JOIN keys AS k ON k.run_id = x.run_id AND k.key_id = x.key_id "
    + _CHOSEN
    + " AND k.wall_clock IS NOT TRUE ORDER BY x.iter, k.key_id"
)


class Row(NamedTuple):
    """An iteration as it is compared.

    Attributes:
        iteration: Its number, from 0.
        digest: The state's after it, 16 hexadecimal digits; None where none was recorded.
        values: The payload without its times.
    """

    iteration: int
    digest: str | None
    values: Mapping[str, int | float]


def recorded_iterations(store: Store, uid: str) -> int:
    """Returns how many iterations the store's tables hold of a run, from 0 to the last one."""
    with store.reading() as connection:
        found = connection.execute(_LAST, {"uid": uid}).fetchone()
    return 0 if found is None or found[0] is None else found[0] + 1


def recorded_rows(
    store: Store, uid: str, *, start: int = 0, stop: int, every: int = 1
) -> Iterator[Row]:
    """Yields the live rows of a run from the store's tables, in order.

    Args:
        store: The store.
        uid: The run.
        start: The first iteration.
        stop: The iteration to stop before.
        every: Only iterations `t` with `(t + 1) % every == 0`.
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
    """Yields the live rows of a journal, in order."""
    times = wall_clock_keys(path)
    for record in live_payloads(path):
        yield row_of(record, times)


def wall_clock_keys(path: Path) -> frozenset[str]:
    """Returns the payload keys that a journal declares as times."""
    return frozenset(name for record in records(path, Keys) for name in times_in(record))


def times_in(record: Keys) -> frozenset[str]:
    """Returns the payload keys that a record of the kind `keys` declares as times."""
    return frozenset(key.name for key in record.keys if key.wall_clock)


def row_of(record: Payload, times: frozenset[str]) -> Row:
    """Returns what a journal's payload record says, without its times."""
    values = {
        key: _NOT_JSON.get(value, math.nan) if isinstance(value, str) else value
        for key, value in record.values.items()
        if key not in times
    }
    return Row(record.iter, record.digest, values)
