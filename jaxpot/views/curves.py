"""Read the points of learning curves, thinned in SQL, so that a chart of a long run is cheap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import attrs

from jaxpot.errors import UserError
from jaxpot.views.groups import Group

if TYPE_CHECKING:
    import duckdb

X_AXES = ("iteration", "samples", "time")
"""Choices for the x axis."""

BANDS = ("error", "range", "none")
"""Choices for the band around a mean over seeds: standard error, extremes, nothing."""

_UNITS = ((2 * 3600.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))

SAMPLES = "iteration/num_samples"
"""The key whose running sum is the axis of samples."""

# Running time: neither superseded parts of an attempt nor pauses between attempts count.
_TIME = """
    SELECT uid, i.iter, (epoch(i.time) - epoch(t.started) + t.before) AS x
    FROM (
        SELECT run_id, attempt, started, coalesce(sum(took) OVER (
            PARTITION BY run_id ORDER BY attempt ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS before
        FROM (
            SELECT a.run_id, a.attempt, a.started,
                greatest(coalesce(max(epoch(i.time)) - epoch(a.started), 0), 0) AS took
            FROM attempts AS a
            JOIN spans AS s ON s.run_id = a.run_id AND s.attempt = a.attempt
            LEFT JOIN iters AS i ON i.run_id = a.run_id AND i.attempt = a.attempt
                AND i.iter < s.live_until
            GROUP BY a.run_id, a.attempt, a.started
        )
    ) AS t
    JOIN runs USING (run_id)
    JOIN iters AS i USING (run_id, attempt)
    JOIN spans AS s USING (run_id, attempt)
    WHERE list_contains($uids, uid) AND i.iter < s.live_until
"""
_X = {
    "iteration": "SELECT uid, iter, value, iter AS x FROM own",
    "samples": f"""
        SELECT own.uid, own.iter, value, x FROM own JOIN (
            SELECT uid, iter, sum(value) OVER (PARTITION BY uid ORDER BY iter) AS x
            FROM metric WHERE key = '{SAMPLES}' AND list_contains($uids, uid)
        ) AS xs ON xs.uid = own.uid AND xs.iter = own.iter
    """,  # noqa: S608 (a constant)
    "time": f"SELECT own.uid, own.iter, value, x FROM own JOIN ({_TIME}) AS xs "  # noqa: S608
    "ON xs.uid = own.uid AND xs.iter = own.iter",
}
_OWN = "SELECT uid, iter, value FROM metric WHERE key = $key AND list_contains($uids, uid)"
_SMOOTH = """
    SELECT uid, iter, CASE WHEN isfinite(value) THEN avg(value) FILTER (isfinite(value)) OVER (
        PARTITION BY uid ORDER BY iter ROWS BETWEEN {before} PRECEDING AND CURRENT ROW
    ) ELSE value END AS value
    FROM ({own})
"""
_SINGLE = "SELECT iter, x, value, NULL::DOUBLE AS low, NULL::DOUBLE AS high FROM placed"
_MEAN = """
    SELECT iter, x, mean AS value, mean - half AS low, mean + half AS high FROM (
        SELECT iter, avg(x) AS x,
            CASE WHEN bool_and(isfinite(value)) THEN avg(value) FILTER (isfinite(value))
                ELSE 'nan' END AS mean,
            stddev_samp(value) FILTER (isfinite(value)) / sqrt(count(*)) AS half
        FROM placed GROUP BY iter HAVING count(*) = $runs
    )
"""
_RANGE = """
    SELECT iter, avg(x) AS x,
        CASE WHEN bool_and(isfinite(value)) THEN avg(value) FILTER (isfinite(value))
            ELSE 'nan' END AS value,
        min(value) AS low, max(value) AS high
    FROM placed GROUP BY iter HAVING count(*) = $runs
"""
# Keep the first, last, least and greatest point of each column of pixels: a line through these
# looks like the line through all points. With few points, each is its own column.
_THINNED = """
WITH own AS NOT MATERIALIZED ({own}), placed AS NOT MATERIALIZED ({placed}),
line AS MATERIALIZED ({line}),
extent AS (SELECT min(x) AS least, max(x) AS most, count(*) AS points FROM line),
cut AS (
    SELECT line.*, CASE
        WHEN points <= 4 * $columns THEN iter
        ELSE least(floor((x - least) / greatest(most - least, 1e-12) * $columns), $columns - 1)
    END AS part
    FROM line, extent
),
kept AS (
    SELECT
        count(*) AS points,
        count(*) FILTER (NOT isfinite(value)) AS nonfinite,
        arg_min({point}, iter) FILTER (isfinite(value)) AS a,
        arg_min({point}, value) FILTER (isfinite(value)) AS b,
        arg_max({point}, value) FILTER (isfinite(value)) AS c,
        arg_max({point}, iter) FILTER (isfinite(value)) AS d,
        min(iter) AS iter,
        min(x) AS x
    FROM cut GROUP BY part
)
SELECT points, nonfinite, iter, x, a, b, c, d FROM kept ORDER BY iter
"""
_POINT = "{'iter': iter, 'x': x, 'value': value, 'low': low, 'high': high}"


class Point(NamedTuple):
    """A point of a curve; `y` is None where nothing finite was recorded: the line breaks there."""

    x: float
    y: float | None
    low: float | None = None
    high: float | None = None


@attrs.frozen
class Curve:
    """The values of one key of one group of runs.

    Attributes:
        key: The key.
        group: The runs; with several of them, the points are their mean.
        points: From left to right, thinned.
        total: Number of points before thinning.
        gaps: Points that cannot be drawn: not finite, or not positive on a logarithmic axis.
        partial: Iterations that only some of the runs have; they are not drawn.
    """

    key: str
    group: Group
    points: tuple[Point, ...]
    total: int
    gaps: int
    partial: int = 0

    @property
    def drawn(self) -> bool:
        """Whether any point can be drawn."""
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
    """Read the curve of every group and key that has a point.

    Args:
        connection: An open database.
        groups: Single runs, and seeds of one experiment.
        keys: The keys.
        x: One of `X_AXES`.
        smooth: Average this many of the newest points.
        band: One of `BANDS`.
        log_y: Leave out values that a logarithmic axis cannot show.
        columns: Width in pixels; at most four points are kept for each.

    Returns:
        The curves, and the title of the x axis.

    Raises:
        UserError: No run recorded what `x` needs.
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
    """Say why no curve can be drawn; empty where one can."""
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
    points = [Point(p["x"], p["value"], p["low"], p["high"]) for _, p in sorted(different.items())]
    return [Point(point.x, point.y) for point in points] if hide else points


def _partial(connection: duckdb.DuckDBPyConnection, uids: Sequence[str], key: str) -> int:
    """Count the iterations that some of the runs have and others lack."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT iter FROM metric WHERE key = ? AND list_contains(?, uid) "
        "GROUP BY iter HAVING count(*) < ?)",
        [key, list(uids), len(uids)],
    ).fetchone()
    return row[0] if row else 0


def _in_units(found: Sequence[Curve]) -> tuple[list[Curve], str]:
    """Scale times to the largest unit that suits the longest curve; return its name too."""
    longest = max((curve.points[-1].x for curve in found if curve.points), default=0.0)
    seconds, unit = next((each, name) for least, each, name in _UNITS if longest >= least)
    scaled = [tuple(p._replace(x=p.x / seconds) for p in curve.points) for curve in found]
    curves = [attrs.evolve(c, points=p) for c, p in zip(found, scaled, strict=True)]
    return curves, f"{unit} of running"


def _positive(curve: Curve) -> Curve:
    """Break a curve where a logarithmic axis cannot show it."""
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


def points_query(x: str, *, smooth: int, several: bool, extremes: bool) -> str:
    """Return the query for one curve: a row for each column of pixels, from left to right.

    Its parameters are `$uids`, `$key`, `$columns` and, for several runs, their number as `$runs`.

    Args:
        x: One of `X_AXES`.
        smooth: Number of newest points to average.
        several: Take the mean of several runs.
        extremes: Make the band of a mean from extremes, not from the standard error.
    """
    own = _OWN if smooth <= 1 else _SMOOTH.format(before=smooth - 1, own=_OWN)
    mean = _RANGE if extremes else _MEAN
    return _THINNED.format(own=own, placed=_X[x], line=mean if several else _SINGLE, point=_POINT)
