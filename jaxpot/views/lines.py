"""Pieces of styled text side by side, at the ends of a line, in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.text import Text

GAP = "   "

Lines = list[Text]


def at_iteration(payload: Mapping[str, float | int]) -> str:
    """Writes the iteration of a payload, counted from 1."""
    return f" at {int(payload['iter']) + 1}"


def cell(text: str, width: int) -> str:
    """Writes text as wide as a column."""
    return text[: width - 1].ljust(width) if len(text) >= width else text.ljust(width)


def fitting(parts: Iterable[str], width: int) -> str:
    """Joins as many parts as fit."""
    line = ""
    for part in parts:
        longer = f"{line}   {part}" if line else part
        if line and len(longer) > width:
            break
        line = longer
    return line


def spread(left: Text, right: Text, width: int) -> Text:
    """Puts two texts at the two ends of a line; the left alone where there is no room."""
    gap = width - left.cell_len - right.cell_len
    if gap < 2:
        return left
    return Text.assemble(left, " " * gap, right)


def beside(left: Sequence[Text], right: Sequence[Text], width: int) -> Lines:
    """Puts two blocks of lines side by side, the left one `width` wide."""
    lines: Lines = []
    for row in range(max(len(left), len(right))):
        one = left[row] if row < len(left) else Text()
        two = right[row] if row < len(right) else Text()
        padding = " " * max(0, width - one.cell_len) + GAP
        lines.append(Text.assemble(one, padding, two) if two else one)
    return lines
