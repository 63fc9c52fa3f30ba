"""Points sorted for good: parts of `sorted_metrics`, and what `sorted_parts` says about them.

A part is a piece of one attempt of a run. What is added at once lies in the order of keys, in each
key by run, and then by iteration: a metric's series, and the same metric of runs that came
together, lie in few places and take the fewest bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxpot.store.tables import insert_rows

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray

# DuckDB takes a NaN in a NumPy array for a NULL; no value is NULL.
_INSERT = """
INSERT INTO sorted_metrics
SELECT
    run_id,
    attempt,
    iter,
    key_id,
    CASE WHEN single THEN coalesce(value, 'NaN')::FLOAT END,
    CASE WHEN NOT single THEN coalesce(value, 'NaN') END,
    part
FROM batch
"""

_KEY_BITS = 16  # NumPy sorts such integers ten times faster than others


class Piece(NamedTuple):
    """Points of one attempt of a run, in the order of its journal."""

    run_id: int
    attempt: int
    iter: NDArray[np.int32]
    key_id: NDArray[np.int32]
    value: NDArray[np.float64]


def pieces_of(points: Mapping[str, NDArray[Any]], run_ids: Collection[int]) -> Iterator[Piece]:
    """Yield the pieces of some runs among points that are in the order of their journals.

    Args:
        points: Columns of `metrics`.
        run_ids: The runs.
    """
    import numpy as np

    run_id, attempt = points["run_id"], points["attempt"]
    changes = (np.diff(run_id) != 0) | (np.diff(attempt) != 0)
    starts = [0, *(np.flatnonzero(changes) + 1).tolist()] if len(run_id) else []
    for first, end in itertools.pairwise([*starts, len(run_id)]):
        if int(run_id[first]) in run_ids:
            columns = (points[name][first:end] for name in ("iter", "key_id", "value"))
            yield Piece(int(run_id[first]), int(attempt[first]), *columns)


def add_parts(connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece]) -> None:
    """Add each piece as a part of its run, within the caller's transaction."""
    import numpy as np

    if not pieces:
        return
    pieces = sorted(map(_by_iteration, pieces), key=lambda piece: piece.run_id)
    parts = _numbers(connection, [piece.run_id for piece in pieces])
    sizes = [len(piece.value) for piece in pieces]
    origin = np.repeat(np.arange(len(pieces)), sizes)
    key_id = np.concatenate([piece.key_id for piece in pieces])
    small = key_id.max() < 1 << _KEY_BITS
    order = np.argsort(key_id.astype(np.uint16) if small else key_id, kind="stable")
    origin, key_id = origin[order], key_id[order]
    iteration = np.concatenate([piece.iter for piece in pieces])[order]
    value = np.concatenate([piece.value for piece in pieces])[order]
    starts = np.flatnonzero(np.diff(key_id, prepend=-1) | np.diff(origin, prepend=-1))
    columns = {
        "run_id": np.array([piece.run_id for piece in pieces], np.int64)[origin],
        "attempt": np.array([piece.attempt for piece in pieces], np.int32)[origin],
        "iter": iteration,
        "key_id": key_id,
        "value": value,
        "single": _are_single(value, starts),
        "part": np.array(parts, np.int32)[origin],
    }
    connection.register("batch", columns)
    connection.execute(_INSERT)
    connection.unregister("batch")
    heads = [(piece.run_id, part, piece.attempt) for piece, part in zip(pieces, parts, strict=True)]
    of, keys = origin[starts].tolist(), key_id[starts].tolist()
    summaries = _summaries(iteration, value, starts)
    rows = [
        (*heads[index], key, *summary)
        for index, key, summary in zip(of, keys, summaries, strict=True)
    ]
    insert_rows(connection, "sorted_parts", rows)


def _by_iteration(piece: Piece) -> Piece:
    import numpy as np

    if np.all(piece.iter[1:] >= piece.iter[:-1]):  # as in every journal that nobody has mended
        return piece
    order = np.argsort(piece.iter, kind="stable")
    columns = {name: getattr(piece, name)[order] for name in ("iter", "key_id", "value")}
    return piece._replace(**columns)


def _summaries(
    iteration: NDArray[np.int32], value: NDArray[np.float64], starts: NDArray[np.int64]
) -> Iterator[tuple[float | int | None, ...]]:
    """Yield what `sorted_parts` says of each series, from the column `points` on.

    Args:
        iteration: Of every point, series after series.
        value: Of every point.
        starts: Where each series begins.
    """
    import numpy as np

    finite = np.isfinite(value)
    whole = bool(finite.all())
    for first, end in itertools.pairwise([*starts.tolist(), len(value)]):
        own, at = value[first:end], iteration[first:end]
        span = int(at[0]), int(at[-1]), float(own[-1])
        if not whole:
            own, at = own[finite[first:end]], at[finite[first:end]]
        extremes: tuple[float | int | None, ...] = (None,) * 5
        if len(own):
            least, most = own.argmin(), own.argmax()  # the first of equals
            with np.errstate(over="ignore"):
                total = float(own.sum())
            extremes = total, float(own[least]), int(at[least]), float(own[most]), int(at[most])
        yield (end - first, end - first - len(own), *extremes, *span)


def _are_single(value: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.bool]:
    """Say of each point whether every value of its series is a float32 number."""
    import numpy as np

    with np.errstate(over="ignore"):
        exact = (value.astype(np.float32) == value) | np.isnan(value)
    return np.repeat(np.logical_and.reduceat(exact, starts), np.diff(starts, append=len(value)))


def _numbers(connection: duckdb.DuckDBPyConnection, run_ids: Sequence[int]) -> list[int]:
    """Give new parts of runs their numbers."""
    rows = connection.execute(
        "SELECT run_id, max(part) + 1 FROM sorted_parts "
        "WHERE run_id IN (SELECT unnest($1::BIGINT[])) GROUP BY run_id",
        [sorted(set(run_ids))],
    ).fetchall()
    following = dict(rows)
    numbers: list[int] = []
    for run_id in run_ids:
        numbers.append(following.get(run_id, 0))
        following[run_id] = numbers[-1] + 1
    return numbers
