"""New rows, collected column by column and inserted in one transaction.

Most tables take Python lists. Metric values go in as NumPy arrays, but only where there are enough
of them to be worth importing NumPy.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from jaxpot.store.tables import insert_lists, insert_rows

if TYPE_CHECKING:
    import duckdb

# Up to here, lists (0.8 us a value) cost less than importing NumPy (0.1 s).
FEW_POINTS = 30_000

# Runs that go on are sorted in parts of so many points, which takes half a second each.
PART_POINTS = 500_000

# Fewer points are read as fast unsorted, and their summaries would take as much room.
WORTH_SORTING = 3_000

_IN_RUNS = "list_contains($runs::BIGINT[], run_id)"
_STORED = f"FROM metrics WHERE part = 0 AND {_IN_RUNS}"
_COUNT = f"SELECT run_id, count(*) {_STORED} GROUP BY run_id"
# DuckDB reads a NaN in a NumPy array as NULL; no value is NULL.
_NEW = """
SELECT
    run_id,
    attempt,
    iter,
    key_id,
    CASE WHEN TRY_CAST(value AS FLOAT) = value THEN value::FLOAT END AS value32,
    CASE WHEN TRY_CAST(value AS FLOAT) IS DISTINCT FROM value THEN value END AS value64,
    0 AS part
FROM (SELECT * REPLACE (coalesce(value, 'NaN') AS value) FROM ({}))
"""
_LISTS = """
SELECT
    unnest($run_id::BIGINT[]) AS run_id,
    unnest($attempt::INTEGER[]) AS attempt,
    unnest($iter::INTEGER[]) AS iter,
    unnest($key_id::INTEGER[]) AS key_id,
    unnest($value::DOUBLE[]) AS value
"""
_SORT = """
INSERT INTO metrics SELECT * REPLACE ($part::INTEGER AS part)
FROM ({}) ORDER BY key_id, run_id, attempt, iter
"""
# Of equal extremes, the first iteration counts.
_SUMMARIZE = """
INSERT INTO sorted_parts
SELECT
    run_id,
    part,
    attempt,
    key_id,
    count(*),
    count(*) FILTER (NOT isfinite(value)),
    sum(value) FILTER (isfinite(value)),
    min(value) FILTER (isfinite(value)),
    arg_min(iter, (value, iter)) FILTER (isfinite(value)),
    max(value) FILTER (isfinite(value)),
    arg_min(iter, (-value, iter)) FILTER (isfinite(value)),
    min(iter),
    max(iter),
    arg_max(value, iter)
FROM metrics
WHERE part = $part
GROUP BY run_id, part, attempt, key_id
"""


class Batch:
    """The rows of one transaction: payloads as flat arrays, other tables as lists of tuples.

    A payload is one row of `iters` and `count` rows of `metrics`.
    """

    def __init__(self) -> None:
        self.run_id = array("q")
        self.attempt = array("i")
        self.iter = array("i")
        self.time = array("q")
        self.digest: list[str | None] = []
        self.count = array("i")
        self.key_id = array("i")
        self.value = array("d")
        self.rows: dict[str, list[tuple[Any, ...]]] = {}

    @property
    def points(self) -> int:
        """The number of metric values."""
        return len(self.value)

    def add(self, table: str, *row: object) -> None:
        """Add a row, its values in the order of the table's columns (times in microseconds)."""
        self.rows.setdefault(table, []).append(row)

    def add_payload(
        self, row: tuple[int, int, int], time: int, digest: str | None, key_ids: array[int]
    ) -> None:
        """Add an iteration: its run, attempt and iteration, and the keys of its values.

        The caller has added the values themselves to `value`, where their types are checked.
        """
        run_id, attempt, iteration = row
        self.run_id.append(run_id)
        self.attempt.append(attempt)
        self.iter.append(iteration)
        self.time.append(time)
        self.digest.append(digest)
        self.count.append(len(key_ids))
        self.key_id.extend(key_ids)

    def insert(self, connection: duckdb.DuckDBPyConnection, *, ended: Collection[int] = ()) -> None:
        """Insert every row, within the caller's transaction, and sort the points that are due.

        Args:
            connection: The database.
            ended: The runs that write nothing more.
        """
        for table, rows in self.rows.items():
            insert_rows(connection, table, rows)
        if not self.run_id and not ended:
            return
        due = self._due(connection, ended)
        if self.points > FEW_POINTS or "numpy" in sys.modules:
            self._insert_arrays(connection, due)
        else:
            self._insert_lists(connection, due)

    def _due(self, connection: duckdb.DuckDBPyConnection, ended: Collection[int]) -> list[int]:
        """Return the runs whose unsorted points, stored ones and new ones, are worth sorting."""
        points = Counter(dict.fromkeys(ended, 0))
        for run_id, count in zip(self.run_id, self.count, strict=True):
            points[run_id] += count
        points.update(dict(connection.execute(_COUNT, {"runs": list(points)}).fetchall()))
        return [
            run_id
            for run_id, count in points.items()
            if count >= (WORTH_SORTING if run_id in ended else PART_POINTS)
        ]

    def _insert_lists(self, connection: duckdb.DuckDBPyConnection, due: list[int]) -> None:
        payload = {
            "run_id": self.run_id.tolist(),
            "attempt": self.attempt.tolist(),
            "iter": self.iter.tolist(),
        }
        insert_lists(connection, "iters", [*payload.values(), self.time.tolist(), self.digest])
        points = {
            name: [it for it, count in zip(column, self.count, strict=True) for _ in range(count)]
            for name, column in payload.items()
        }
        points |= {"key_id": self.key_id.tolist(), "value": self.value.tolist()}
        _insert_points(connection, _LISTS, points, due)

    def _insert_arrays(self, connection: duckdb.DuckDBPyConnection, due: list[int]) -> None:
        import numpy as np

        payload = {"run_id": self.run_id, "attempt": self.attempt, "iter": self.iter}
        columns = {name: np.asarray(column) for name, column in payload.items()}
        digest = np.asarray(self.digest, dtype=object)
        connection.register("batch", {**columns, "time": np.asarray(self.time), "digest": digest})
        connection.execute(
            "INSERT INTO iters SELECT * REPLACE (make_timestamp(time) AS time) FROM batch"
        )
        points = {name: np.repeat(column, self.count) for name, column in columns.items()}
        points |= {"key_id": np.asarray(self.key_id), "value": np.asarray(self.value)}
        connection.register("batch", points)
        _insert_points(connection, "FROM batch", {}, due)
        connection.unregister("batch")


def _insert_points(
    connection: duckdb.DuckDBPyConnection, points: str, given: dict[str, list[Any]], due: list[int]
) -> None:
    """Insert points: those of the runs in `due` as one sorted part, the others as they are.

    A sorted part also takes the unsorted points that its runs have already. Sorted, a series is
    read from few places; by a part's summaries, extremes and last values are found without
    reading the points.

    Args:
        connection: The database.
        points: The query for the new points.
        given: The query's parameters.
        due: The runs to sort.
    """
    new = _NEW.format(points)
    unsorted = f"INSERT INTO metrics {new} WHERE NOT {_IN_RUNS}"
    connection.execute(unsorted, {**given, "runs": due})
    if not due:
        return
    ((newest,),) = connection.execute("SELECT coalesce(max(part), 0) FROM sorted_parts").fetchall()
    part = newest + 1
    both = f"SELECT * EXCLUDE (value) {_STORED} UNION ALL BY NAME {new} WHERE {_IN_RUNS}"
    connection.execute(_SORT.format(both), {**given, "runs": due, "part": part})
    connection.execute(f"DELETE {_STORED}", {"runs": due})
    connection.execute(_SUMMARIZE, {"part": part})
