"""The columns of the tables, read from schema.sql, and insertion by column.

`executemany` takes a thousand times longer than passing whole columns to DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


@cache
def columns_of(table: str) -> dict[str, str]:
    """Return a table's columns and their types, in order."""
    return {name: kind for name, kind, *_ in _columns(table)}


def stored_of(table: str) -> list[str]:
    """Return a table's columns, without those that DuckDB computes from others."""
    return [name for name, _, *rest in _columns(table) if "GENERATED" not in "".join(rest)]


@cache
def required_of(table: str) -> frozenset[str]:
    """Return the columns of a table that are never NULL."""
    return frozenset(name for name, _, *rest in _columns(table) if rest == ["NOT NULL"])


def table_names() -> list[str]:
    """Return the names of all tables."""
    return [piece.partition(" ")[0] for piece in _schema().split("CREATE TABLE ")[1:]]


def insert_rows(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Sequence[Any]]
) -> None:
    """Insert rows of Python values; a time is in microseconds since 1970."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        insert_lists(connection, table, columns)


def insert_lists(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[list[Any]]
) -> None:
    """Insert rows given as columns; see `insert_rows`."""
    connection.execute(_insertion(table), list(columns))


def _columns(table: str) -> list[list[str]]:
    """Return the words of each column's line in schema.sql: name, type and, if any, the rest."""
    body = _schema().split(f"CREATE TABLE {table} (\n", 1)[1].split("\n);", 1)[0]
    return [line.strip().rstrip(",").split(" ", 2) for line in body.splitlines()]


@cache
def _schema() -> str:
    return resources.files("jaxpot.store").joinpath("schema.sql").read_text()


@cache
def _insertion(table: str) -> str:
    values = (
        f"make_timestamp(unnest(${place}::BIGINT[]))"
        if kind == "TIMESTAMP"
        else f"unnest(${place}::{'VARCHAR' if kind == 'JSON' else kind}[])"
        for place, kind in enumerate(columns_of(table).values(), 1)
    )
    return f"INSERT INTO {table} SELECT {', '.join(values)}"
