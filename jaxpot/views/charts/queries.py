"""The SQL that gives a curve's points: smoothed, placed on an axis, averaged, thinned."""

from __future__ import annotations

SAMPLES = "iteration/num_samples"
"""The key that an axis of samples adds up."""

# What an attempt took before it was superseded does not count, nor do pauses between attempts.
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
# Of each column of pixels the first, the last, the least and the greatest point are kept: a line
# through these is the line through all. Without too many points, each has a column of its own.
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


def points_query(x: str, *, smooth: int, several: bool, extremes: bool) -> str:
    """Give the query for the columns of pixels of one curve, from left to right.

    It takes `$uids`, `$key`, `$columns` and, of several runs, their number as `$runs`.

    Args:
        x: What is to the right.
        smooth: How many of the newest points are averaged.
        several: Whether it is the mean of several runs.
        extremes: Whether the band of a mean shows these, not the standard error.
    """
    own = _OWN if smooth <= 1 else _SMOOTH.format(before=smooth - 1, own=_OWN)
    mean = _RANGE if extremes else _MEAN
    return _THINNED.format(own=own, placed=_X[x], line=mean if several else _SINGLE, point=_POINT)
