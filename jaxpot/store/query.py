"""Run a user's SQL: check parameters, translate errors, convert types for Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxpot.errors import UserError
from jaxpot.store import errors

if TYPE_CHECKING:
    import duckdb

_FETCHED_ROWS = 10_000


class QueryResult:
    """The result of a query; rows are fetched as they are needed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path
        described = connection.description or []
        self.columns: list[str] = [column[0] for column in described]
        self.types: list[str] = [str(column[1]) for column in described]

    def all(self) -> list[tuple[Any, ...]]:
        """Return all remaining rows."""
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
    """Run a query, or several separated by semicolons, and return the last result.

    Args:
        connection: An open database.
        query: The SQL.
        path: The database file, for error messages.
        parameters: Values of the query's `$name` parameters; they are bound, never pasted.

    Raises:
        QueryError: The query is wrong, or not allowed.
        StoreError: The database is damaged.
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
    """Write a query's result to a Parquet file; return the number of rows.

    Raises:
        QueryError: The query is wrong, or `target` cannot be written.
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
    """Return the names of a query's parameters, sorted.

    Raises:
        QueryError: The query is wrong.
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
    """Return a query's result as a relation, and its columns' names and types.

    Names are made unique. A time with a zone becomes UTC without a zone, because DuckDB would use
    the machine's zone; the returned type is the original one.

    Args:
        connection: An open database.
        query: The SQL.
        path: The database file, for error messages.
        parameters: Values of the query's parameters.
        intervals: Whether to keep intervals; otherwise they become text.

    Raises:
        QueryError: The query is wrong.
    """
    import duckdb

    try:
        statements = parsed(connection, query)
        check_names(statements, parameters)
        for statement in statements[:-1]:
            connection.execute(statement, own_parameters(statement, parameters))
        # DuckDB refuses a relation while an earlier result is not read to its end.
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
    """Translate a DuckDB error of a query into an error for the user."""
    import duckdb

    meaning = errors.translated(error, path)
    if isinstance(meaning, UserError):
        return meaning
    text = str(error).strip()
    if isinstance(error, duckdb.PermissionException):
        text += "\n`jaxpot sql --allow-files` lets a query reach files and the network"
    return QueryError(text)


_ISO = "%Y-%m-%dT%H:%M:%S.%fZ"


class QueryError(UserError):
    """A query that DuckDB refuses."""


def parsed(connection: duckdb.DuckDBPyConnection, query: str) -> list[duckdb.Statement]:
    """Parse a query into its statements, at least one.

    Raises:
        QueryError: It is empty, or not UTF-8.
        duckdb.Error: It is not valid SQL.
    """
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise QueryError("the query is not UTF-8 text") from error
    statements = connection.extract_statements(query)
    if not statements:
        raise QueryError("the query is empty")
    return statements


def names_in(statements: Sequence[duckdb.Statement]) -> list[str]:
    """Return the names of the parameters, sorted."""
    return sorted({name for statement in statements for name in statement.named_parameters})


def own_parameters(
    statement: duckdb.Statement, parameters: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return the parameters that a statement uses; DuckDB refuses others."""
    if not statement.named_parameters:
        return None
    return {name: (parameters or {})[name] for name in statement.named_parameters}


def check_names(statements: Sequence[duckdb.Statement], given: Mapping[str, Any]) -> None:
    """Check that the given parameters are those of the statements.

    Raises:
        QueryError: A parameter has no value, or is unknown.
    """
    names = names_in(statements)
    if any(name.isdigit() for name in names):
        raise QueryError("parameters have names here: write $name, not ? or $1")
    missing = [name for name in names if name not in given]
    unknown = [name for name in given if name not in names]
    if not (missing or unknown):
        return
    wrong_ones = [f"{name} has no value" for name in missing]
    wrong_ones += [f"there is no {name}" for name in unknown]
    listed = ", ".join(names)
    has = f"the query's are {listed}, each given as NAME=VALUE" if names else "the query has none"
    raise QueryError(f"parameters: {'; '.join(wrong_ones)}; {has}")


def selected(
    query: str, described: Sequence[Sequence[Any]], shown: Callable[[str, str], str]
) -> str:
    """Wrap a query so that each column becomes `shown(column, type)`, under the same name."""
    names = [f"c{index}" for index in range(len(described))]
    columns = ", ".join(
        f"{shown(name, str(kind))} AS {quoted(label)}"
        for name, (label, kind, *_) in zip(names, described, strict=True)
    )
    inner = query.strip().rstrip(";")
    return f"SELECT {columns} FROM (\n{inner}\n) AS q({', '.join(names)})"  # noqa: S608


def is_zoned(kind: str) -> bool:
    """Return whether a type is or contains a time with a zone."""
    return "WITH TIME ZONE" in kind


def zone_as_text(column: str, kind: str) -> str:
    """Convert times with a zone to text, because DuckDB's client needs pytz for them."""
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime({column} AT TIME ZONE 'UTC', '{_ISO}')"
    return f"CAST({column} AS VARCHAR)" if is_zoned(kind) else column


def in_utc(column: str, kind: str) -> str:
    """Convert a time with a zone to UTC without a zone."""
    return f"{column} AT TIME ZONE 'UTC'" if kind == "TIMESTAMP WITH TIME ZONE" else column


def in_utc_without_intervals(column: str, kind: str) -> str:
    """Convert intervals to text, and times as `in_utc` does."""
    return f"CAST({column} AS VARCHAR)" if kind == "INTERVAL" else in_utc(column, kind)


def unique(names: Iterable[str]) -> list[str]:
    """Append a number to repeated names, so that they can be keys of an object."""
    chosen: dict[str, None] = {}
    for name in names:
        numbered = (f"{name}_{number}" for number in count(1))
        chosen[next(one for one in chain([name], numbered) if one not in chosen)] = None
    return list(chosen)


def quoted(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'
