"""Print the rows of a query: as a table, JSON, CSV or Markdown."""

from __future__ import annotations

import json
import math
import shutil
import sys
from itertools import islice
from typing import Any

from jaxpot.cli.output import emit, emit_csv, json_text, markdown_table, note
from jaxpot.formatting import printable
from jaxpot.store.query import QueryResult, unique

_NUMBERS = frozenset(
    f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")
) | {"INTEGER", "UINTEGER", "FLOAT", "DOUBLE", "DECIMAL"}
_UNBOUNDED = 1_000_000  # columns; no terminal to fit
_GAP = 2
_RULE = 3  # characters between two columns of a table
_SLIVER = 12  # characters; text in narrower columns is hard to read


def print_json(result: QueryResult) -> None:
    """Print an array of objects, one per line; the value of a JSON column is parsed."""
    parsed = [kind == "JSON" for kind in result.types]
    names = unique(result.columns)
    last = None
    emit("[")
    for row in result:
        if last is not None:
            emit(f"  {last},")
        values = (
            json.loads(value) if is_json and value is not None else value
            for value, is_json in zip(row, parsed, strict=True)
        )
        last = json_text(dict(zip(names, values, strict=True)))
    emit("]" if last is None else f"  {last}\n]")


def print_csv(result: QueryResult) -> None:
    """Print CSV with a header; NULL is an empty field."""
    if result.columns:
        emit_csv(result.columns, ([_text(value) for value in row] for row in result))


def print_markdown(result: QueryResult) -> None:
    """Print a Markdown table."""
    if result.columns:
        rows = ([_text(value) for value in row] for row in result)
        right = [column for column, kind in enumerate(result.types) if _is_number(kind)]
        for line in markdown_table(result.columns, rows, right=right, newline="<br>"):
            emit(line)


def print_table(result: QueryResult, max_rows: int, *, expanded: bool | None = None) -> None:
    """Print a table that fits the terminal.

    Args:
        result: The rows.
        max_rows: The most rows to print; 0 for all.
        expanded: Whether to print one line per value instead. By default, only if a table would
            not fit.
    """
    if not result.columns:
        return
    names = [printable(name, keep="\n") for name in result.columns]
    right = [_is_number(kind) for kind in result.types]
    rows = iter(result)
    cells = [
        [printable(_shown(value), keep="\n") for value in row]
        for row in islice(rows, max_rows or None)
    ]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNBOUNDED
    if expanded is None:
        expanded = not _fits(names, right, cells, width)
    emit(_records(names, cells, width) if expanded else _table(names, right, cells, width))
    if max_rows and next(rows, None) is not None:
        note(f"the first {max_rows} rows; --max-rows 0 shows all")


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json_text(value).strip('"')


def _shown(value: Any) -> str:
    """Return a value as a table shows it: a float with six digits."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6g}"
    return _text(value)


def _fits(names: list[str], right: list[bool], cells: list[list[str]], width: int) -> bool:
    """Return whether a table fits: numbers are not wrapped, text needs room for a few letters."""
    from rich.cells import cell_len

    least = 0
    for is_number, *texts in zip(right, names, *cells, strict=True):
        needed = max(cell_len(line) for text in texts for line in (text.splitlines() or [""]))
        least += _RULE + (needed if is_number else min(needed, _SLIVER))
    return least - 2 <= width


def _table(names: list[str], right: list[bool], cells: list[list[str]], width: int) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, is_number in zip(names, right, strict=True):
        justify = "right" if is_number else "left"
        table.add_column(Text(name), justify=justify, overflow="fold", no_wrap=is_number)
    for row in cells:
        table.add_row(*map(Text, row))
    console = Console(highlight=False, width=width)
    with console.capture() as printed:
        console.print(table)
    return "\n".join(line.rstrip() for line in printed.get().splitlines()).strip("\n")


def _records(names: list[str], cells: list[list[str]], width: int) -> str:
    """Return one line per value; a long value is wrapped next to its name."""
    indent = max(map(len, names)) + _GAP
    room = max(width - indent, _SLIVER)
    lines: list[str] = []
    for number, row in enumerate(cells, 1):
        lines.append(f"- {number} -")
        for name, cell in zip(names, row, strict=True):
            parts = [
                line[start : start + room]
                for line in cell.splitlines() or [""]
                for start in range(0, max(len(line), 1), room)
            ]
            lines.append(f"{name:<{indent}}{parts[0]}".rstrip())
            lines += [" " * indent + part for part in parts[1:]]
    return "\n".join(lines)


def _is_number(kind: str) -> bool:
    return kind.split("(")[0] in _NUMBERS
