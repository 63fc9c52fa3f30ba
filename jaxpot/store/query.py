"""Running a user's SQL: what is wrong with it in one clear error, values that Python can hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxpot.errors import UserError
from jaxpot.store import errors
from jaxpot.store.statements import (
    QueryError,
    check_names,
    in_utc,
    in_utc_without_intervals,
    is_zoned,
    names_in,
    own_parameters,
    parsed,
    selected,
    unique,
    zone_as_text,
)

if TYPE_CHECKING:
    import duckdb

_FETCHED_ROWS = 10_000


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


def run_query(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    *,
    path: Path,
    parameters: Mapping[str, Any] | None = None,
) -> QueryResult:
    """Run a query, or several parted by semicolons, and give the last one's answer.

    Args:
        connection: An open database.
        query: The SQL.
        path: The database file, for errors about it.
        parameters: Values of the query's parameters, `$name`, which are bound, never pasted.

    Raises:
        QueryError: the query is wrong, or asks for what it may not have.
        StoreError: the database is damaged.
    """
    import duckdb

    try:
        statements = parsed(connection, query)
        check_names(statements, parameters or {})
        for statement in statements:
            connection.execute(statement, own_parameters(statement, parameters))
        described = connection.description or []
        zoned = any(is_zoned(str(column[1])) for column in described)
        if zoned and statements[-1].type == duckdb.StatementType.SELECT:
            wrapped = selected(statements[-1].query, described, zone_as_text)
            connection.execute(wrapped, own_parameters(statements[-1], parameters))
    except duckdb.Error as error:
        raise wrong(error, path) from error
    return QueryResult(connection, path)


def write_parquet(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    target: Path,
    *,
    path: Path,
    parameters: Mapping[str, Any] | None = None,
) -> int:
    """Write a query's answer to a Parquet file; give the number of its rows.

    Raises:
        QueryError: the query is wrong, or `target` cannot be written.
    """
    import duckdb

    place = str(target).replace("'", "''")
    try:
        statements = parsed(connection, query)
        check_names(statements, parameters or {})
        for statement in statements[:-1]:
            connection.execute(statement, own_parameters(statement, parameters))
        last = statements[-1].query.strip().rstrip(";")
        copy = f"COPY (\n{last}\n) TO '{place}' (FORMAT parquet)"
        row = connection.execute(copy, own_parameters(statements[-1], parameters)).fetchone()
    except duckdb.Error as error:
        raise wrong(error, path) from error
    return int(row[0]) if row else 0


def parameters_of(connection: duckdb.DuckDBPyConnection, query: str, *, path: Path) -> list[str]:
    """Give the names of a query's parameters, in order of the alphabet.

    Raises:
        QueryError: the query is wrong.
    """
    import duckdb

    try:
        return names_in(parsed(connection, query))
    except duckdb.Error as error:
        raise wrong(error, path) from error


def last_relation(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    *,
    path: Path,
    parameters: Mapping[str, Any],
    intervals: bool = True,
) -> tuple[duckdb.DuckDBPyRelation, list[tuple[str, str]]]:
    """Give a query's answer, not read yet, and its columns' names and types.

    Every name is there once. A time with a zone is given in UTC, without the zone, for DuckDB would
    give it in the machine's; its type is said as it was.

    Args:
        connection: An open database.
        query: The SQL.
        path: The database file, for errors about it.
        parameters: Values of the query's parameters.
        intervals: Whether who takes the answer knows intervals; else they are text.

    Raises:
        QueryError: the query is wrong.
    """
    import duckdb

    try:
        statements = parsed(connection, query)
        check_names(statements, parameters)
        for statement in statements[:-1]:
            connection.execute(statement, own_parameters(statement, parameters))
        # A relation refuses where an answer from before is not read to its end.
        connection.execute("SELECT 1").fetchall()
        last, own = statements[-1], own_parameters(statements[-1], parameters)
        relation = connection.sql(last.query, params=own)
        described = [*zip(unique(relation.columns), map(str, relation.types), strict=True)]
        if last.type == duckdb.StatementType.SELECT:
            shown = in_utc if intervals else in_utc_without_intervals
            relation = connection.sql(selected(last.query, described, shown), params=own)
    except duckdb.Error as error:
        raise wrong(error, path) from error
    return relation, described


def wrong(error: duckdb.Error, path: Path) -> UserError:
    """Give what an error of a query means to a user."""
    import duckdb

    meaning = errors.translated(error, path)
    if isinstance(meaning, UserError):
        return meaning
    text = str(error).strip()
    if isinstance(error, duckdb.PermissionException):
        text += "\n`jaxpot sql --allow-files` lets a query reach files and the network"
    return QueryError(text)
