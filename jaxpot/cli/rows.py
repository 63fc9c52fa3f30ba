"""Rows of a query on stdout: for people, and for other programs."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import Any

from jaxpot.cli.output import emit, json_text, note
from jaxpot.store.query import QueryResult

_NUMBERS = frozenset(
    f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")
) | {"INTEGER", "UINTEGER", "FLOAT", "DOUBLE", "DECIMAL"}
_UNBOUNDED = 1_000_000  # columns; no terminal to fit


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
    """Write CSV (RFC 4180) with a header; NULL is an empty field."""
    writer = csv.writer(sys.stdout)
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


def print_table(result: QueryResult, max_rows: int) -> None:
    """Write a table as wide as the terminal, of at most `max_rows` rows (0: all)."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not result.columns:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, kind in zip(result.columns, result.types, strict=True):
        justify = "right" if _is_number(kind) else "left"
        table.add_column(Text(_printable(name)), justify=justify, overflow="fold")
    rows = iter(result)
    for row in islice(rows, max_rows or None):
        table.add_row(*(Text(_printable(_shown(value))) for value in row))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _UNBOUNDED)
    with console.capture() as printed:
        console.print(table)
    emit("\n".join(line.rstrip() for line in printed.get().splitlines()).strip("\n"))
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


def unique(names: list[str]) -> list[str]:
    """Give names in which a repeated one has a number after it, as an object's keys need."""
    taken: set[str] = set()

    def fresh(name: str) -> Iterator[str]:
        yield name
        number = 1
        while True:
            yield f"{name}_{number}"
            number += 1

    chosen: list[str] = []
    for name in names:
        chosen.append(next(one for one in fresh(name) if one not in taken))
        taken.add(chosen[-1])
    return chosen


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


def _markdown_row(cells: list[str]) -> str:
    escaped = (
        cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "<br>") for cell in cells
    )
    return "| " + " | ".join(escaped) + " |"


def _printable(text: str) -> str:
    """Give text without what would move a terminal's cursor or change its colours."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


def _is_number(kind: str) -> bool:
    return kind.split("(")[0] in _NUMBERS
