"""`jaxpot sql --schema` and `--list`: describe the database and the named queries."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jaxpot.cli.output import emit, emit_csv, emit_json, markdown_table, table

if TYPE_CHECKING:
    from jaxpot.store.canned import Query
    from jaxpot.store.open import Records
    from jaxpot.store.tables import Item

_WIDTH = 100


def print_schema(records: Records, form: str | None) -> None:
    """Print every view, macro, table and column, from the comments in the database."""
    from jaxpot.store.tables import read_catalog

    with records.reading() as connection:
        items = read_catalog(connection)
    match form:
        case "json":
            emit_json([_object(item) for item in items])
        case "markdown":
            emit("\n\n".join(map(_section, items)))
        case "csv":
            emit_csv(
                ("kind", "name", "column", "type", "comment"),
                [
                    (item.kind, item.name, *column)
                    for item in items
                    for column in ((None, None, item.comment), *item.columns)
                ],
            )
        case _:
            emit("\n\n".join(map(describe_item, items)))


def print_queries(form: str | None) -> None:
    """Print the named queries, including the user's own."""
    from jaxpot.store.canned import named_queries

    queries = list(named_queries().values())
    match form:
        case "json":
            records = []
            for query in queries:
                parameters = [parameter._asdict() for parameter in query.parameters]
                record = {"name": query.name, "summary": query.summary, "parameters": parameters}
                records.append({**record, "source": query.source, "sql": query.sql})
            emit_json(records)
        case "markdown":
            rows = [[f"`{query.name}`", _usage(query), query.summary] for query in queries]
            emit("\n".join(markdown_table(("query", "parameters", ""), rows)))
        case "csv":
            rows = [(query.name, _usage(query), query.summary, query.source) for query in queries]
            emit_csv(("name", "parameters", "summary", "source"), rows)
        case _:
            emit(list_queries(queries))


def list_queries(queries: Sequence[Query]) -> str:
    """Return one line per query and one per parameter."""
    lines: list[str] = []
    for query in queries:
        own = "" if query.source == "jaxpot" else f"  ({query.source})"
        lines.append(f"{query.name}  {query.summary}{own}".rstrip())
        for parameter in query.parameters:
            default = "" if parameter.default is None else f" = {parameter.default}"
            lines.append(f"    ${parameter.name}{default}: {parameter.summary}")
    return "\n".join(lines)


def describe_item(item: Item) -> str:
    """Return the description of a view, macro or table."""
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
    """Return one line per view, macro and table."""
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
        rows = [[f"`{c.name}`", c.type or "", c.comment or ""] for c in item.columns]
        lines += ["", *markdown_table(("column", "type", ""), rows)]
    return "\n".join(lines)


def _usage(query: Query) -> str:
    return ", ".join(
        parameter.name + ("" if parameter.default is None else f"={parameter.default}")
        for parameter in query.parameters
    )
