"""A query's text: its statements, its parameters, and how its columns are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from jaxpot.errors import UserError

if TYPE_CHECKING:
    import duckdb

_ISO = "%Y-%m-%dT%H:%M:%S.%fZ"


class QueryError(UserError):
    """A query that DuckDB refuses."""


def parsed(connection: duckdb.DuckDBPyConnection, query: str) -> list[duckdb.Statement]:
    """Give the statements of a query, at least one.

    Raises:
        QueryError: it is empty, or no text.
        duckdb.Error: it is no SQL.
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
    """Give the names of the parameters, in order of the alphabet."""
    return sorted({name for statement in statements for name in statement.named_parameters})


def own_parameters(
    statement: duckdb.Statement, parameters: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Give the parameters that a statement has, for DuckDB refuses others."""
    if not statement.named_parameters:
        return None
    return {name: (parameters or {})[name] for name in statement.named_parameters}


def check_names(statements: Sequence[duckdb.Statement], given: Mapping[str, Any]) -> None:
    """Hold the parameters that are given to those that there are.

    Raises:
        QueryError: one has no value, or is not there.
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
    """Give the query with each column as `shown(column, type)` has it, under its own name."""
    names = [f"c{index}" for index in range(len(described))]
    columns = ", ".join(
        f"{shown(name, str(kind))} AS {quoted(label)}"
        for name, (label, kind, *_) in zip(names, described, strict=True)
    )
    inner = query.strip().rstrip(";")
    return f"SELECT {columns} FROM (\n{inner}\n) AS q({', '.join(names)})"  # noqa: S608


def is_zoned(kind: str) -> bool:
    """Say whether a type is, or has in it, a time with a zone."""
    return "WITH TIME ZONE" in kind


def zone_as_text(column: str, kind: str) -> str:
    """Show zoned times as text: DuckDB's client needs pytz for them."""
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime({column} AT TIME ZONE 'UTC', '{_ISO}')"
    return f"CAST({column} AS VARCHAR)" if is_zoned(kind) else column


def in_utc(column: str, kind: str) -> str:
    """Show a time with a zone in UTC, without the zone."""
    return f"{column} AT TIME ZONE 'UTC'" if kind == "TIMESTAMP WITH TIME ZONE" else column


def in_utc_without_intervals(column: str, kind: str) -> str:
    """Show intervals as text, too."""
    return f"CAST({column} AS VARCHAR)" if kind == "INTERVAL" else in_utc(column, kind)


def unique(names: Iterable[str]) -> list[str]:
    """Give names in which a repeated one has a number after it, as an object's keys need."""
    chosen: dict[str, None] = {}
    for name in names:
        numbered = (f"{name}_{number}" for number in count(1))
        chosen[next(one for one in chain([name], numbered) if one not in chosen)] = None
    return list(chosen)


def quoted(name: str) -> str:
    """Give a name as SQL writes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'
