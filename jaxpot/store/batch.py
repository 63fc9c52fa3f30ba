"""Rows on their way into the database, by column.

Lists do for most tables; the numbers of the metrics go in as NumPy arrays, but only where there
are enough of them to earn back NumPy's import.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from jaxpot.store.tables import insert_lists, insert_points, insert_rows

if TYPE_CHECKING:
    import duckdb

# Up to here, lists (0.8 us a value) cost less than importing NumPy (0.1 s).
FEW_POINTS = 30_000


class Batch:
    """What one transaction adds: payloads in flat arrays, other tables as lists of tuples.

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
        """How many metric values there are."""
        return len(self.value)

    def add(self, table: str, *row: object) -> None:
        """Add a row, its values in the order of the table's columns (times in microseconds)."""
        self.rows.setdefault(table, []).append(row)

    def add_payload(
        self, row: tuple[int, int, int], time: int, digest: str | None, key_ids: array[int]
    ) -> None:
        """Add an iteration of a run: its run, attempt and iteration, and its values' keys.

        The values themselves are in `value` already, where their types were checked.
        """
        run_id, attempt, iteration = row
        self.run_id.append(run_id)
        self.attempt.append(attempt)
        self.iter.append(iteration)
        self.time.append(time)
        self.digest.append(digest)
        self.count.append(len(key_ids))
        self.key_id.extend(key_ids)

    def insert(self, connection: duckdb.DuckDBPyConnection, *, sort: Collection[int] = ()) -> None:
        """Insert everything, within the caller's transaction.

        Args:
            connection: The database.
            sort: Runs whose points go into `sorted_metrics` at once.
        """
        for table, rows in self.rows.items():
            insert_rows(connection, table, rows)
        if sort or self.points > FEW_POINTS or "numpy" in sys.modules:
            self._insert_arrays(connection, sort)
        elif self.run_id:
            self._insert_lists(connection)

    def _insert_lists(self, connection: duckdb.DuckDBPyConnection) -> None:
        payload = [self.run_id.tolist(), self.attempt.tolist(), self.iter.tolist()]
        insert_lists(connection, "iters", [*payload, self.time.tolist(), self.digest])
        repeated = [
            [value for value, count in zip(column, self.count, strict=True) for _ in range(count)]
            for column in payload
        ]
        insert_lists(connection, "metrics", [*repeated, self.key_id.tolist(), self.value.tolist()])

    def _insert_arrays(self, connection: duckdb.DuckDBPyConnection, sort: Collection[int]) -> None:
        import numpy as np

        from jaxpot.store.parts import add_parts, pieces_of

        payload = {"run_id": self.run_id, "attempt": self.attempt, "iter": self.iter}
        columns = {name: np.asarray(column) for name, column in payload.items()}
        digest = np.asarray(self.digest, dtype=object)
        connection.register("batch", {**columns, "time": np.asarray(self.time), "digest": digest})
        connection.execute(
            "INSERT INTO iters SELECT * REPLACE (make_timestamp(time) AS time) FROM batch"
        )
        connection.unregister("batch")
        points = {name: np.repeat(column, self.count) for name, column in columns.items()}
        points |= {"key_id": np.asarray(self.key_id), "value": np.asarray(self.value)}
        if sort:
            add_parts(connection, list(pieces_of(points, sort)))
            left = np.isin(points["run_id"], list(sort), invert=True)
            points = {name: column[left] for name, column in points.items()}
        if len(points["value"]):
            insert_points(connection, "metrics", points)
