"""The columns of the tables, insertion by column, and the catalog with its comments.

`executemany` takes a thousand times longer than passing whole columns to DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

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


_RELATIONS = """
SELECT * FROM (
    SELECT 'view' AS kind, view_name AS name, comment FROM duckdb_views() WHERE NOT internal
    UNION ALL
    SELECT 'table', table_name, comment FROM duckdb_tables() WHERE NOT internal
) ORDER BY kind DESC, name
"""
_COLUMNS = """
SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal
ORDER BY table_name, column_index
"""
_MACROS = """
SELECT function_name, function_type, parameters, comment FROM duckdb_functions()
WHERE NOT internal AND function_type IN ('macro', 'table_macro') ORDER BY ALL
"""


class Column(NamedTuple):
    """A column of a table or view, or a parameter of a macro, whose type is None."""

    name: str
    type: str | None
    comment: str | None


class Item(NamedTuple):
    """A view, a table or a macro, according to `kind`."""

    kind: str
    name: str
    comment: str | None
    columns: tuple[Column, ...]


def read_catalog(connection: duckdb.DuckDBPyConnection) -> list[Item]:
    """Return all views, then all macros, then all tables."""
    columns: dict[str, list[Column]] = {}
    for table, *column in connection.execute(_COLUMNS).fetchall():
        columns.setdefault(table, []).append(Column(*column))
    relations = [
        Item(kind, name, comment, tuple(columns.get(name, ())))
        for kind, name, comment in connection.execute(_RELATIONS).fetchall()
    ]
    macros = [
        Item(
            kind.replace("_", " "),
            name,
            comment,
            tuple(Column(parameter, None, None) for parameter in parameters),
        )
        for name, kind, parameters, comment in connection.execute(_MACROS).fetchall()
    ]
    views = [item for item in relations if item.kind == "view"]
    return [*views, *macros, *(item for item in relations if item.kind == "table")]
