"""Draw curves with characters: braille dots on a colour terminal, ASCII marks elsewhere."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import attrs
from rich.text import Text

from jaxpot import formatting as words
from jaxpot.views.curves import Curve

_COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "red", "white")
_MARKS = "*o+x#@%&"
# Bits of a braille cell's dots, by row and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE = 0x2800
_LEAST_WIDTH = 10


@attrs.frozen
class Paper:
    """Room for a chart in characters, and which characters and colours it may use."""

    width: int
    height: int
    colours: bool = True
    ascii_only: bool = False


def draw(curves: Sequence[Curve], paper: Paper, *, x_title: str, log_y: bool = False) -> list[Text]:
    """Draw the curves of one key, with axes and a legend.

    Args:
        curves: Curves of one key; at least one has a point to draw.
        paper: The room.
        x_title: Title of the x axis.
        log_y: Use a logarithmic y axis; every value must be positive.
    """
    ys = [point.y for curve in curves for point in curve.points if point.y is not None]
    least, most = min(ys), max(ys)
    if log_y:
        least, most = math.log10(least), math.log10(most)
    labels = _labels(least, most, paper.height, log_y=log_y)
    if len(labels) == 1:
        least, most = least - 0.5, most + 0.5
    gutter = max(len(label) for label in labels.values()) + 1
    columns = max(_LEAST_WIDTH, paper.width - gutter - 1)
    xs = [point.x for curve in curves for point in curve.points]
    left, right = min(xs), max(xs)
    canvas = _Canvas(columns, paper, len(curves))
    for number, curve in enumerate(curves):
        for (ax, ay), (bx, by) in _segments(curve, log_y=log_y):
            across, up = max(right - left, 1e-12), most - least
            one = (ax - left) / across, (ay - least) / up
            canvas.segment(number, one, ((bx - left) / across, (by - least) / up))
    side, corner, floor = ("|", "+", "-") if paper.ascii_only else ("│", "└", "─")
    lines = [Text(words.printable(curves[0].key), style="bold")]
    for row in range(paper.height):
        axis = labels.get(row, "").rjust(gutter) + side
        lines.append(Text.assemble((axis, "dim"), canvas.row(row)))
    lines.append(Text(" " * gutter + corner + floor * columns, style="dim"))
    lines.append(Text(" " * (gutter + 1) + _floor_labels(left, right, columns, x_title), "dim"))
    lines += [
        Text.assemble(
            (f"{canvas.sign(number)} ", canvas.style(number)), words.printable(curve.group.label)
        )
        for number, curve in enumerate(curves)
    ]
    for line in lines:
        line.truncate(paper.width)
    return lines


class _Canvas:
    """A grid of characters that lines are drawn on, from (0, 0) lower left to (1, 1)."""

    def __init__(self, columns: int, paper: Paper, curves: int) -> None:
        self._dotted = not paper.ascii_only and (paper.colours or curves == 1)
        self._across, self._down = (2, 4) if self._dotted else (1, 1)
        self._columns, self._rows = columns, paper.height
        self._bits = [[0] * columns for _ in range(paper.height)]
        self._owner = [[-1] * columns for _ in range(paper.height)]

    def segment(self, number: int, one: tuple[float, float], other: tuple[float, float]) -> None:
        """Draw a line between two points for curve `number`."""
        (ax, ay), (bx, by) = self._place(one), self._place(other)
        steps = max(abs(bx - ax), abs(by - ay), 1)
        for step in range(steps + 1):
            x = ax + round((bx - ax) * step / steps)
            y = ay + round((by - ay) * step / steps)
            row, column = y // self._down, x // self._across
            self._bits[row][column] |= _DOTS[y % self._down][x % self._across]
            self._owner[row][column] = number

    def row(self, row: int) -> Text:
        line = Text()
        cells = zip(self._bits[row], self._owner[row], strict=True)
        for owner, together in itertools.groupby(cells, key=lambda cell: cell[1]):
            drawn = "".join(self._character(*cell) for cell in together)
            line.append(drawn, style=None if owner < 0 else self.style(owner))
        line.rstrip()
        return line

    def sign(self, number: int) -> str:
        """Return the character of a curve in the legend."""
        return "━" if self._dotted else _MARKS[number % len(_MARKS)]

    def style(self, number: int) -> str:
        return _COLOURS[number % len(_COLOURS)]

    def _character(self, bits: int, owner: int) -> str:
        if owner < 0:
            return " "
        return chr(_BRAILLE + bits) if self._dotted else self.sign(owner)

    def _place(self, point: tuple[float, float]) -> tuple[int, int]:
        width, height = self._columns * self._across - 1, self._rows * self._down - 1
        x, y = (min(max(part, 0.0), 1.0) for part in point)
        return round(x * width), round((1 - y) * height)


def _segments(
    curve: Curve, *, log_y: bool
) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """Yield the lines between points; a point between two gaps is a line to itself."""
    drawn = [
        None if point.y is None else (point.x, math.log10(point.y) if log_y else point.y)
        for point in curve.points
    ]
    for one, other in itertools.pairwise([*drawn, None]):
        if one is not None:
            yield one, other or one


def _labels(least: float, most: float, height: int, *, log_y: bool) -> dict[int, str]:
    """Return the labels of the y axis by row; a single one where all values are equal."""
    if most - least <= 1e-9 * max(abs(least), abs(most)):
        return {(height - 1) // 2: words.number(float(f"{10**most if log_y else most:.3g}"))}
    count = max(2, min(5, height // 3))
    rows = [round(index * (height - 1) / (count - 1)) for index in range(count)]
    values = [most - (most - least) * row / max(1, height - 1) for row in rows]
    return {
        row: words.number(float(f"{10**value if log_y else value:.3g}"))
        for row, value in zip(rows, values, strict=True)
    }


def _floor_labels(left: float, right: float, columns: int, title: str) -> str:
    first, last = (words.number(float(f"{value:.4g}")) for value in (left, right))
    middle = max(0, columns - len(first) - len(last))
    return first + (title.center(middle) if len(title) + 2 <= middle else " " * middle) + last
