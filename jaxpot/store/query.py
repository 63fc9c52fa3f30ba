"""Running a user's SQL: what is wrong with it in one clear error, values that Python can hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxpot.errors import UserError
from jaxpot.store import database

if TYPE_CHECKING:
    import duckdb

_FETCHED_ROWS = 10_000
_ZONED = "WITH TIME ZONE"
_ISO = "%Y-%m-%dT%H:%M:%S.%fZ"


class QueryError(UserError):
    """A query that DuckDB refuses."""


class QueryResult:
    """The answer to a query, read as far as it is asked for."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path
        described = connection.description or []
        self.columns: list[str] = [column[0] for column in described]
        self.types: list[str] = [str(column[1]) for column in described]

    def all(self) -> list[tuple[Any, ...]]:
        """Give every row that is left."""
        return list(self)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        import duckdb

        while self.columns:
            try:
                rows = self._connection.fetchmany(_FETCHED_ROWS)
            except duckdb.Error as error:
                raise wrong(error, self._path) from error
            if not rows:
                return
            yield from rows


def run_query(connection: duckdb.DuckDBPyConnection, query: str, *, path: Path) -> QueryResult:
    """Run a query, or several parted by semicolons, and give the last one's answer.

    Args:
        connection: An open database.
        query: The SQL.
        path: The database file, for errors about it.

    Raises:
        QueryError: the query is wrong, or asks for what it may not have.
        StoreError: the database is damaged.
    """
    import duckdb

    try:
        statements = _statements(connection, query)
        for statement in statements:
            connection.execute(statement)
        zoned = any(_ZONED in str(column[1]) for column in connection.description or [])
        if zoned and statements[-1].type == duckdb.StatementType.SELECT:
            connection.execute(_without_zones(connection, statements[-1].query))
    except duckdb.Error as error:
        raise wrong(error, path) from error
    return QueryResult(connection, path)


def write_parquet(
    connection: duckdb.DuckDBPyConnection, query: str, target: Path, *, path: Path
) -> int:
    """Write a query's answer to a Parquet file; give the number of its rows.

    Raises:
        QueryError: the query is wrong, or `target` cannot be written.
    """
    import duckdb

    place = str(target).replace("'", "''")
    try:
        statements = _statements(connection, query)
        for statement in statements[:-1]:
            connection.execute(statement)
        last = statements[-1].query.strip().rstrip(";")
        copy = f"COPY (\n{last}\n) TO '{place}' (FORMAT parquet)"
        row = connection.execute(copy).fetchone()
    except duckdb.Error as error:
        raise wrong(error, path) from error
    return int(row[0]) if row else 0


def wrong(error: duckdb.Error, path: Path) -> UserError:
    """Give what an error of a query means to a user."""
    import duckdb

    meaning = database.translated(error, path)
    if isinstance(meaning, UserError):
        return meaning
    text = str(error).strip()
    if isinstance(error, duckdb.PermissionException):
        text += "\n`jaxpot sql --allow-files` lets a query reach files and the network"
    return QueryError(text)


def _statements(connection: duckdb.DuckDBPyConnection, query: str) -> list[duckdb.Statement]:
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise QueryError("the query is not UTF-8 text") from error
    statements = connection.extract_statements(query)
    if not statements:
        raise QueryError("the query is empty")
    return statements


def _without_zones(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """Give the query with its zoned times as text: DuckDB's client needs pytz for them."""
    described = connection.description or []
    shown: list[str] = []
    for index, (name, kind, *_) in enumerate(described):
        label = '"' + name.replace('"', '""') + '"'
        if str(kind) == "TIMESTAMP WITH TIME ZONE":
            shown.append(f"strftime(c{index} AT TIME ZONE 'UTC', '{_ISO}') AS {label}")
        elif _ZONED in str(kind):
            shown.append(f"CAST(c{index} AS VARCHAR) AS {label}")
        else:
            shown.append(f"c{index} AS {label}")
    names = ", ".join(f"c{index}" for index in range(len(described)))
    inner = query.strip().rstrip(";")
    return f"SELECT {', '.join(shown)} FROM (\n{inner}\n) AS q({names})"  # noqa: S608
