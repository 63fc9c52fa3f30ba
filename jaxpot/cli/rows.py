"""Rows of a query on stdout: for people, and for other programs."""

from __future__ import annotations

import json
import math
import shutil
import sys
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import Any

from jaxpot.cli.output import csv_writer, emit, json_text, note
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
    """Write an array of objects, one a line; a JSON column is part of the object."""
    parsed = [kind == "JSON" for kind in result.types]
    names = unique(result.columns)
    held = None
    emit("[")
    for row in result:
        if held is not None:
            emit(f"  {held},")
        values = (
            json.loads(value) if is_json and value is not None else plain(value)
            for value, is_json in zip(row, parsed, strict=True)
        )
        held = json_text(dict(zip(names, values, strict=True)))
    emit("]" if held is None else f"  {held}\n]")


def print_csv(result: QueryResult) -> None:
    """Write CSV with a header; NULL is an empty field."""
    writer = csv_writer(sys.stdout)
    if result.columns:
        writer.writerow(result.columns)
    for row in result:
        writer.writerow([_text(value, null="") for value in row])


def print_markdown(result: QueryResult) -> None:
    """Write a Markdown table."""
    if not result.columns:
        return
    right = [_is_number(kind) for kind in result.types]
    emit(_markdown_row(result.columns))
    emit("|" + "|".join("---:" if is_right else "---" for is_right in right) + "|")
    for row in result:
        emit(_markdown_row([_text(value, null="") for value in row]))


def print_table(result: QueryResult, max_rows: int, *, expanded: bool | None = None) -> None:
    """Write a table as wide as the terminal, of at most `max_rows` rows (0: all).

    Args:
        result: The rows.
        max_rows: How many of them to show.
        expanded: Write a line for each value instead; by default where a table would not fit.
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
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    widths = None if width is None else _widths(names, right, cells, width)
    if expanded or (expanded is None and width is not None and widths is None):
        emit(_records(names, cells, width or _UNBOUNDED))
    else:
        emit(_table(names, right, cells, widths))
    if max_rows and next(rows, None) is not None:
        note(f"the first {max_rows} rows; --max-rows 0 shows all")


def plain(value: Any) -> Any:
    """Give a value as JSON has it: times in ISO 8601, bytes in hex, numbers as numbers."""
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def _text(value: Any, *, null: str) -> str:
    value = plain(value)
    if value is None:
        return null
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, float) else json_text(value)


def _shown(value: Any) -> str:
    """Give a value for the eye: six digits of a number are enough in a table."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6g}"
    return _text(value, null="")


def _widths(
    names: list[str], right: list[bool], cells: list[list[str]], width: int
) -> list[int] | None:
    """Give the columns' widths in a table of a width, or None where they would be too narrow.

    Numbers are not folded; what they leave is shared by the columns of text that need it.
    """
    needed = [_cell_width(names, cells, column) for column in range(len(names))]
    within = width - _RULE * len(needed) + 2
    if sum(needed) <= within:
        return needed
    numbers = sum(need for need, is_right in zip(needed, right, strict=True) if is_right)
    texts = [need for need, is_right in zip(needed, right, strict=True) if not is_right]
    room = within - numbers
    for most in range(room, _SLIVER - 1, -1):
        if sum(min(need, most) for need in texts) <= room:
            return [
                need if is_right else min(need, most)
                for need, is_right in zip(needed, right, strict=True)
            ]
    return None


def _cell_width(names: list[str], cells: list[list[str]], column: int) -> int:
    """Give the width of a column's widest line."""
    from rich.cells import cell_len

    texts = (names[column], *(row[column] for row in cells))
    return max(cell_len(line) for text in texts for line in (text.splitlines() or [""]))


def _table(
    names: list[str], right: list[bool], cells: list[list[str]], widths: list[int] | None
) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, (name, is_right) in enumerate(zip(names, right, strict=True)):
        justify = "right" if is_right else "left"
        width = None if widths is None else widths[number]
        table.add_column(Text(name), justify=justify, overflow="fold", width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    console = Console(highlight=False, width=_UNBOUNDED)
    with console.capture() as printed:
        console.print(table)
    return "\n".join(line.rstrip() for line in printed.get().splitlines()).strip("\n")


def _records(names: list[str], cells: list[list[str]], width: int) -> str:
    """Give a line for each value, a long one folded beside its name."""
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


def _markdown_row(cells: list[str]) -> str:
    escaped = (
        cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "<br>") for cell in cells
    )
    return "| " + " | ".join(escaped) + " |"


def _is_number(kind: str) -> bool:
    return kind.split("(")[0] in _NUMBERS
