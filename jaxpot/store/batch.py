"""Rows on their way into the database, by column, and how they are inserted.

`executemany` costs a thousand times more than handing DuckDB whole columns. Lists do for most
tables; the numbers of the metrics go in as NumPy arrays, but only where there are enough of them
to earn back NumPy's import.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

# Up to here, lists (0.8 us a value) cost less than importing NumPy (0.1 s).
_FEW_POINTS = 30_000


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

    def insert(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Insert everything, within the caller's transaction."""
        for table, rows in self.rows.items():
            insert_rows(connection, table, rows)
        if self.points > _FEW_POINTS or "numpy" in sys.modules:
            self._insert_arrays(connection)
        elif self.run_id:
            self._insert_lists(connection)

    def _insert_lists(self, connection: duckdb.DuckDBPyConnection) -> None:
        payload = [self.run_id.tolist(), self.attempt.tolist(), self.iter.tolist()]
        _insert_lists(connection, "iters", [*payload, self.time.tolist(), self.digest])
        repeated = [
            [value for value, count in zip(column, self.count, strict=True) for _ in range(count)]
            for column in payload
        ]
        _insert_lists(connection, "metrics", [*repeated, self.key_id.tolist(), self.value.tolist()])

    def _insert_arrays(self, connection: duckdb.DuckDBPyConnection) -> None:
        import numpy as np

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
        connection.register("batch", points)
        # DuckDB takes a NaN in a NumPy array for a NULL; no value is NULL.
        connection.execute(
            "INSERT INTO metrics SELECT * REPLACE (coalesce(value, 'NaN') AS value) FROM batch"
        )
        connection.unregister("batch")


def insert_rows(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Sequence[Any]]
) -> None:
    """Insert rows of Python values; a time is in microseconds since 1970."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        _insert_lists(connection, table, columns)


def _insert_lists(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[list[Any]]
) -> None:
    connection.execute(_insertion(table), list(columns))


@cache
def columns_of(table: str) -> dict[str, str]:
    """Give a table's columns and their types, in order, as schema.sql has them."""
    schema = resources.files("jaxpot.store").joinpath("schema.sql").read_text()
    body = schema.split(f"CREATE TABLE {table} (\n", 1)[1].split("\n);", 1)[0]
    pairs = (line.strip().rstrip(",").split(" ", 2) for line in body.splitlines())
    return {name: kind for name, kind, *_ in pairs}


@cache
def _insertion(table: str) -> str:
    values = (
        f"make_timestamp(unnest(${place}::BIGINT[]))"
        if kind == "TIMESTAMP"
        else f"unnest(${place}::{'VARCHAR' if kind == 'JSON' else kind}[])"
        for place, kind in enumerate(columns_of(table).values(), 1)
    )
    return f"INSERT INTO {table} SELECT {', '.join(values)}"
