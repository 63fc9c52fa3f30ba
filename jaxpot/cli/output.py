"""What commands write to stdout: JSON that any parser reads, and plain tables."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import click

from jaxpot.formatting import printable


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Returns JSON in which NaN and infinities are strings, which standard JSON lacks."""
    return json.dumps(finite(value), allow_nan=False, ensure_ascii=False, indent=indent)


def finite(value: Any) -> Any:
    """Replaces NaN and infinities by "NaN", "Infinity" and "-Infinity", at any depth."""
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
    """Lays out rows in columns two spaces apart.

    Args:
        headers: Names of the columns.
        rows: Cells, as long as `headers`.
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


def emit(text: str) -> None:
    """Writes data to stdout."""
    click.echo(text)


def csv_writer(file: TextIO) -> Any:
    """Returns a CSV writer whose lines end as those of `jaxpot export` do, with a newline alone."""
    return csv.writer(_NewlineEnds(file))


class _NewlineEnds:
    """Takes the rows of a CSV writer, which quotes a carriage return only if its rows end so."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(f"{row.removesuffix(csv.excel.lineterminator)}\n")


def note(text: str) -> None:
    """Writes prose to stderr."""
    click.echo(text, err=True)
