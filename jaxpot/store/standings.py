"""What a run's league came to: its last standings, and how often it changed in which way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_STANDINGS = """
SELECT iter, name, place, score, rollouts, active
FROM standings
WHERE uid = $1 AND iter = (SELECT max(iter) FROM standings WHERE uid = $1)
ORDER BY score, name
"""
_EVENTS = """
SELECT event, count(*) FROM league WHERE uid = $1 GROUP BY event ORDER BY min(iter), event
"""


def league_of(connection: duckdb.DuckDBPyConnection, uid: str) -> dict[str, Any] | None:
    """Give a run's league as it was recorded last; None where none was.

    The sizes are called as in the payload; `events` counts the changes (add, archive, ...), and
    `standings` lists what there is, the strongest first.
    """
    rows = connection.execute(_STANDINGS, [uid]).fetchall()
    events = connection.execute(_EVENTS, [uid]).fetchall()
    if not rows and not events:
        return None
    names = ("name", "place", "score", "rollouts", "active")
    standings = [dict(zip(names, row[1:], strict=True)) for row in rows]
    archived = [entry for entry in standings if entry["place"] == "archive"]
    return {
        "iter": rows[0][0] if rows else None,
        "league_size": len(standings) - len(archived),
        "league_archive_size": len(archived),
        "active_archive_size": sum(entry["active"] is True for entry in archived),
        "events": dict(events),
        "standings": standings,
    }
