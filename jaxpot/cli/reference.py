"""What `jaxpot sql --schema` and `--list` print: all that a query can name, and queries by name."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxpot.cli.output import emit, json_text, table

if TYPE_CHECKING:
    from jaxpot.store.canned import Query
    from jaxpot.store.catalog import Item
    from jaxpot.store.open import Records

_WIDTH = 100


def print_schema(records: Records, form: str | None) -> None:
    """Describe every view, macro, table and column, from the database's own comments."""
    from jaxpot.store.catalog import read_catalog

    with records.reading() as connection:
        items = read_catalog(connection)
    match form:
        case "json":
            emit(json_text([_object(item) for item in items], indent=2))
        case "markdown":
            emit("\n\n".join(map(_section, items)))
        case "csv":
            _print_csv(
                ("kind", "name", "column", "type", "comment"),
                [
                    (item.kind, item.name, *column)
                    for item in items
                    for column in ((None, None, item.comment), *item.columns)
                ],
            )
        case _:
            emit("\n\n".join(map(describe_item, items)))


def print_queries(form: str | None, folder: Path | None = None) -> None:
    """List the queries that have names, the user's own among them."""
    from jaxpot.store.canned import named_queries

    queries = list(named_queries(folder).values())
    match form:
        case "json":
            emit(json_text([_query_object(query) for query in queries], indent=2))
        case "markdown":
            rows = [f"| `{q.name}` | {_usage(q)} | {q.summary} |" for q in queries]
            emit("\n".join(["| query | parameters | |", "|---|---|---|", *rows]))
        case "csv":
            rows = [(query.name, _usage(query), query.summary, query.source) for query in queries]
            _print_csv(("name", "parameters", "summary", "source"), rows)
        case _:
            emit(list_queries(queries))


def list_queries(queries: Sequence[Query]) -> str:
    """Give a line for each query, and one for the parameters that it has."""
    lines: list[str] = []
    for query in queries:
        own = "" if query.source == "jaxpot" else f"  ({query.source})"
        lines.append(f"{query.name}  {query.summary}{own}".rstrip())
        for parameter in query.parameters:
            default = "" if parameter.default is None else f" = {parameter.default}"
            lines.append(f"    ${parameter.name}{default}: {parameter.summary}")
    return "\n".join(lines)


def describe_item(item: Item) -> str:
    """Give what there is to know about a view, macro or table."""
    width = min(shutil.get_terminal_size().columns, _WIDTH) if sys.stdout.isatty() else _WIDTH
    lines = [_signature(item), *_folded(item.comment or "", width, "  ")]
    if "macro" not in item.kind and item.columns:
        rows = [[column.name, column.type or ""] for column in item.columns]
        names = table(["", ""], rows).splitlines()[1:]
        indent = " " * (max(map(len, names)) + 4)
        for name, column in zip(names, item.columns, strict=True):
            first, *rest = _folded(column.comment or "", width, indent) or [""]
            lines += [f"  {name.ljust(len(indent) - 2)}{first.strip()}".rstrip(), *rest]
    return "\n".join(lines)


def list_items(items: Sequence[Item]) -> str:
    """Give a line for each view, macro and table."""
    rows = [
        [item.kind, item.name, (item.comment or "").partition(". ")[0].rstrip(".")]
        for item in items
    ]
    return table(["kind", "name", "what it is"], rows)


def _signature(item: Item) -> str:
    named = f"{item.kind} {item.name}"
    if "macro" not in item.kind:
        return named
    return f"{named}({', '.join(column.name for column in item.columns)})"


def _folded(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, max(width, 40), initial_indent=indent, subsequent_indent=indent)


def _object(item: Item) -> dict[str, Any]:
    columns = "parameters" if "macro" in item.kind else "columns"
    return {
        "kind": item.kind,
        "name": item.name,
        "comment": item.comment,
        columns: [
            column.name if "macro" in item.kind else column._asdict() for column in item.columns
        ],
    }


def _section(item: Item) -> str:
    lines = [f"### {_signature(item)}", "", item.comment or ""]
    if "macro" not in item.kind:
        lines += ["", "| column | type | |", "|---|---|---|"]
        lines += [f"| `{c.name}` | {c.type} | {c.comment or ''} |" for c in item.columns]
    return "\n".join(lines)


def _query_object(query: Query) -> dict[str, Any]:
    return {
        "name": query.name,
        "summary": query.summary,
        "parameters": [parameter._asdict() for parameter in query.parameters],
        "source": query.source,
        "sql": query.sql,
    }


def _usage(query: Query) -> str:
    return ", ".join(_assignments(query))


def _assignments(query: Query) -> Iterator[str]:
    for parameter in query.parameters:
        yield parameter.name + ("" if parameter.default is None else f"={parameter.default}")


def _print_csv(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    from jaxpot.cli.output import csv_writer

    writer = csv_writer(sys.stdout)
    writer.writerow(headers)
    writer.writerows(rows)
