"""What commands print: JSON that any parser reads, plain tables, CSV and Markdown."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, TextIO

import click

from jaxpot.formatting import printable, size


def emit(text: str) -> None:
    """Write data to stdout."""
    click.echo(text)


def note(text: str) -> None:
    """Write prose to stderr."""
    click.echo(text, err=True)


def emit_json(value: Any) -> None:
    """Write indented JSON to stdout."""
    emit(json_text(value, indent=2))


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return standard JSON; what it lacks, such as NaN and dates, becomes strings."""
    return json.dumps(
        finite(value), allow_nan=False, ensure_ascii=False, indent=indent, default=_json_value
    )


def _json_value(value: Any) -> int | float | str:
    """Convert a value that JSON lacks: times to ISO 8601, bytes to hex, decimals to numbers."""
    match value:
        case date() | time():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case bytes() | bytearray():
            return value.hex()
        case _:
            return str(value)


def finite(value: Any) -> Any:
    """Replace NaN and infinities by "NaN", "Infinity" and "-Infinity", at any depth."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> str:
    """Lay out rows in columns two spaces apart.

    Args:
        headers: Names of the columns.
        rows: One cell per column.
        right: Indices of the columns that are aligned to the right.
    """
    lines = [list(headers), *([printable(cell, keep="") for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def records_table(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Lay out these columns of records: times to the minute, bytes as sizes, numbers right."""

    def cell(name: str, value: Any) -> str:
        if value is None:
            return ""
        if name == "bytes":
            return size(value)
        if name in ("removed", "started"):
            return value[:16].replace("T", " ")
        return " ".join(value) if isinstance(value, list | tuple) else str(value)

    rows = [[cell(name, record[name]) for name in columns] for record in records]
    numbers = {name for record in records for name in columns if isinstance(record[name], int)}
    right = [number for number, name in enumerate(columns) if name in numbers]
    return table(columns, rows, right=right)


def markdown_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[int] = (),
    newline: str = " ",
) -> Iterator[str]:
    """Yield the lines of a Markdown table; `newline` stands for a line break in a cell."""

    def line(cells: Iterable[str]) -> str:
        escaped = (cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells)
        return f"| {' | '.join(escaped)} |".replace("\n", newline)

    yield line(headers)
    yield f"|{'|'.join('---:' if column in right else '---' for column in range(len(headers)))}|"
    yield from map(line, rows)


def emit_csv(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write CSV to stdout, with lines that end with a newline alone, like `jaxpot export`."""
    writer = csv.writer(_NewlineEnds(sys.stdout))
    writer.writerow(headers)
    writer.writerows(rows)


class _NewlineEnds:
    """Replaces the line ends of a CSV writer.

    The writer itself must use "\\r\\n": only then does it quote a carriage return in a cell.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(f"{row.removesuffix(csv.excel.lineterminator)}\n")
