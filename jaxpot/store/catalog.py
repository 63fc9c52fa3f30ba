"""Read the catalog: every table, view, column and macro, with its comment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import duckdb

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
