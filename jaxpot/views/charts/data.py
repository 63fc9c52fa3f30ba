"""Points of charts, thinned by the database: a picture is cheap, however long a run is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import attrs

from jaxpot.errors import UserError
from jaxpot.views.charts.queries import SAMPLES, points_query
from jaxpot.views.comparison import Group

if TYPE_CHECKING:
    import duckdb

X_AXES = ("iteration", "samples", "time")
"""What may be to the right."""

BANDS = ("error", "range", "none")
"""What a band around a mean over seeds shows: its standard error, the extremes, nothing."""

_UNITS = ((2 * 3600.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


class Point(NamedTuple):
    """A point of a curve; None where nothing finite was recorded: the line breaks there."""

    x: float
    y: float | None
    low: float | None = None
    high: float | None = None


@attrs.frozen
class Curve:
    """What one group of runs recorded under one key, as a picture shows it.

    Attributes:
        key: The key.
        group: The runs; the points are their mean where there are several.
        points: From left to right, already thinned.
        total: How many points there are that were not thinned.
        gaps: How many of these are not drawn: not finite, or not positive on a logarithmic axis.
        partial: Iterations that some of the runs have and others lack, which are not drawn.
    """

    key: str
    group: Group
    points: tuple[Point, ...]
    total: int
    gaps: int
    partial: int = 0

    @property
    def drawn(self) -> bool:
        """Whether there is anything to see."""
        return any(point.y is not None for point in self.points)


def curves(
    connection: duckdb.DuckDBPyConnection,
    groups: Sequence[Group],
    keys: Sequence[str],
    *,
    x: str = "iteration",
    smooth: int = 1,
    band: str = "error",
    log_y: bool = False,
    columns: int = 800,
) -> tuple[list[Curve], str]:
    """Read the curves of keys, of every group that has any point of them.

    Args:
        connection: An open database.
        groups: Single runs, and seeds of one experiment.
        keys: The keys.
        x: One of `X_AXES`.
        smooth: Draw the mean of so many of the newest points.
        band: One of `BANDS`.
        log_y: Whether values are drawn on a logarithmic axis, which has no place for 0.
        columns: Columns of pixels; four points of each are enough.

    Returns:
        The curves, and what is to the right, with its unit.

    Raises:
        UserError: no run has recorded what `x` needs.
    """
    found = [
        curve
        for key in keys
        for group in groups
        if (curve := _curve(connection, group, key, x, smooth, band, columns)).total
    ]
    if not found and x == "samples":
        raise UserError(f"no points over samples: that needs {SAMPLES!r} beside each key")
    found = [_positive(curve) for curve in found] if log_y else found
    return _in_units(found) if x == "time" else (found, x)


def nothing_drawn(found: Iterable[Curve], keys: Sequence[str]) -> str:
    """Say why there is no picture; empty where there is one."""
    listed = list(found)
    if any(curve.drawn for curve in listed):
        return ""
    names = ", ".join(keys)
    if listed:
        total = sum(curve.total for curve in listed)
        return f"{names}: {total} points, and none of them can be drawn"
    return f"{names}: no points are recorded yet"


def _curve(
    connection: duckdb.DuckDBPyConnection,
    group: Group,
    key: str,
    x: str,
    smooth: int,
    band: str,
    columns: int,
) -> Curve:
    uids = group.uids
    query = points_query(x, smooth=smooth, several=len(uids) > 1, extremes=band == "range")
    given = {"uids": uids, "key": key, "columns": columns}
    rows = connection.execute(query, given | ({"runs": len(uids)} if len(uids) > 1 else {}))
    points: list[Point] = []
    total = gaps = 0
    for count, nonfinite, _, at, *kept in rows.fetchall():
        total, gaps = total + count, gaps + nonfinite
        points += _of_column(at, kept, hide=band == "none", gap=nonfinite == count)
    partial = _partial(connection, uids, key) if len(uids) > 1 else 0
    return Curve(key, group, tuple(points), total, gaps, partial)


def _of_column(
    at: float, kept: Sequence[dict[str, float] | None], *, hide: bool, gap: bool
) -> list[Point]:
    if gap:
        return [Point(at, None)]
    different = {point["iter"]: point for point in kept if point is not None}
    return [
        Point(
            point["x"],
            point["value"],
            None if hide else point["low"],
            None if hide else point["high"],
        )
        for _, point in sorted(different.items())
    ]


def _partial(connection: duckdb.DuckDBPyConnection, uids: Sequence[str], key: str) -> int:
    """Give how many iterations some of the runs have and others lack."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT iter FROM metric WHERE key = ? AND list_contains(?, uid) "
        "GROUP BY iter HAVING count(*) < ?)",
        [key, list(uids), len(uids)],
    ).fetchone()
    return row[0] if row else 0


def _in_units(found: Sequence[Curve]) -> tuple[list[Curve], str]:
    """Give times in the largest unit of which the longest curve has a few, and say which."""
    longest = max((curve.points[-1].x for curve in found if curve.points), default=0.0)
    seconds, unit = next((each, name) for least, each, name in _UNITS if longest >= least)
    scaled = [
        attrs.evolve(
            curve, points=tuple(point._replace(x=point.x / seconds) for point in curve.points)
        )
        for curve in found
    ]
    return scaled, f"{unit} of running"


def _positive(curve: Curve) -> Curve:
    """Break a curve where a logarithmic axis has no place for it."""
    points: list[Point] = []
    lost = 0
    for point in curve.points:
        if point.y is not None and not point.y > 0:
            lost += 1
            points.append(Point(point.x, None))
        elif point.low is not None and not point.low > 0:
            points.append(point._replace(low=point.y))
        else:
            points.append(point)
    return attrs.evolve(curve, points=tuple(points), gaps=curve.gaps + lost)
