"""Collect everything that the tables say about one run."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import duckdb

# The fields of `jaxpot show --json`, in order; the first line is that of `ls --json`.
SHOWN = (
    *("uid", "name", "status", "iterations", "attempts", "seed", "spec_digest", "training_digest"),
    *("started", "ended", "lag_bytes", "tags"),
    *("spec", "metrics", "best", "checkpoints", "league", "time", "provenance"),
)

_JSON_COLUMNS = frozenset({"versions", "argv", "spec", "payload"})
_HEAD = ("target", "exit_reason", "digest", "spec", "spec_toml")
_GATE = ("metric", "at", "min", "max", "seeds", "statistic")
_WARNINGS = ("warning", "nonfinite", "journal_skip", "journal_unknown")


class RunRow(NamedTuple):
    """A run as listed by `jaxpot ls --json`; times are UTC in ISO 8601."""

    uid: str
    name: str
    status: str
    iterations: int
    attempts: int
    seed: int | None
    spec_digest: str | None
    training_digest: str | None
    started: str | None
    ended: str | None
    lag_bytes: int
    tags: tuple[str, ...]


def describe(connection: duckdb.DuckDBPyConnection, row: RunRow) -> dict[str, Any]:
    """Return all fields of a run, ready for JSON.

    In addition to the fields in `SHOWN`: `target`, `exit_reason`, `digest`, `spec_toml`, `expect`
    (the latest verdict on each of the newest attempt's gates), `warnings` and `notes`.
    """
    uid = row.uid
    found: dict[str, Any] = {**row._asdict(), "tags": list(row.tags)}
    head = _rows(
        connection,
        "SELECT target, exit_reason, digest, spec, spec_toml FROM runs WHERE uid = ?",
        uid,
    )
    found.update(head[0] if head else dict.fromkeys(_HEAD))
    found["metrics"], found["best"] = _metrics(connection, uid)
    found["checkpoints"] = _rows(
        connection,
        "SELECT iteration, c.kind, state, path, bytes, sha256, score, seconds, blocking_seconds, "
        "error, attempt, time FROM checkpoints AS c "
        "JOIN runs USING (run_id) WHERE uid = ? ORDER BY iteration, c.kind",
        uid,
    )
    found["league"] = league_of(connection, uid)
    found["time"] = _time(connection, uid)
    found["provenance"] = _provenance(connection, uid)
    found["expect"] = _gates(connection, uid)
    found["warnings"] = _events(connection, uid, _WARNINGS)
    found["notes"] = _rows(
        connection,
        "SELECT time, note FROM notes JOIN runs USING (run_id) WHERE uid = ? ORDER BY time",
        uid,
    )
    return found


def _metrics(
    connection: duckdb.DuckDBPyConnection, uid: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return each key's last value, and its extremes with their first iterations."""
    rows = connection.execute(
        "SELECT l.key, k.dtype, l.value, b.min, b.min_iter, b.max, b.max_iter FROM latest AS l "
        "JOIN runs AS r ON r.uid = l.uid "
        "JOIN keys AS k ON k.run_id = r.run_id AND k.name = l.key "
        "LEFT JOIN best AS b ON b.uid = l.uid AND b.key = l.key "
        "WHERE l.uid = $1 AND (b.uid = $1 OR b.uid IS NULL) ORDER BY k.key_id",
        [uid],
    ).fetchall()
    metrics, best = {}, {}
    for key, dtype, value, least, least_iter, most, most_iter in rows:
        metrics[key] = _as(dtype, value)
        if least is not None:
            extremes = {"min": _as(dtype, least), "max": _as(dtype, most)}
            best[key] = {**extremes, "min_iter": least_iter, "max_iter": most_iter}
    return metrics, best


def _as(dtype: str | None, value: float) -> int | float:
    return int(value) if dtype == "int" and math.isfinite(value) else value


def _time(connection: duckdb.DuckDBPyConnection, uid: str) -> dict[str, float]:
    """Return the seconds that all attempts together spent, by activity."""
    newest = connection.execute(
        "SELECT arg_max(payload, e.time) FROM events AS e JOIN runs USING (run_id) "
        "WHERE uid = ? AND e.kind = 'time' GROUP BY attempt ORDER BY attempt",
        [uid],
    ).fetchall()
    spent: dict[str, float] = {}
    for (payload,) in newest:
        seconds_by_name = json.loads(payload or "{}")
        for name, seconds in seconds_by_name.items() if isinstance(seconds_by_name, dict) else ():
            if isinstance(seconds, int | float):
                spent[name] = spent.get(name, 0.0) + seconds
    return spent


def _provenance(connection: duckdb.DuckDBPyConnection, uid: str) -> dict[str, Any]:
    """Return code and machine of the newest attempt, and of each attempt."""
    columns = (
        "contract, spec_version, parent, git_commit, git_dirty, versions, platform, "
        "device_kind, device_count, isa, nproc, xla_flags, host, pid, argv"
    )
    rows = _rows(connection, f"SELECT {columns} FROM runs WHERE uid = ?", uid)  # noqa: S608
    # A run whose journal is refused is in no table, and a foreign journal may hold anything.
    head: dict[str, Any] = rows[0] if rows else dict.fromkeys(columns.split(", "))
    for name, form in (("versions", dict), ("argv", list)):
        head[name] = head[name] if isinstance(head[name], form) else None
    attempts = _rows(
        connection,
        "SELECT a.* EXCLUDE (run_id, spec) FROM attempts AS a JOIN runs AS r "
        "ON r.run_id = a.run_id WHERE r.uid = ? ORDER BY a.attempt",
        uid,
    )
    return {**head, "attempts": attempts}


def _events(
    connection: duckdb.DuckDBPyConnection, uid: str, kinds: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the events of some kinds; of kind `expect`, only those of the newest attempt."""
    return _rows(
        connection,
        "SELECT e.attempt, e.iter, e.time, e.kind, e.payload "
        "FROM events AS e JOIN runs AS r ON r.run_id = e.run_id "
        "WHERE r.uid = ? AND list_contains(?, e.kind) "
        "AND (e.kind <> 'expect' OR e.attempt = r.attempts) ORDER BY e.time, e.rowid",
        uid,
        list(kinds),
    )


def _gates(connection: duckdb.DuckDBPyConnection, uid: str) -> list[dict[str, Any]]:
    """Return the latest verdict on each gate, in the spec's order, like the view `gates`."""
    events = _events(connection, uid, ("expect",))
    judged = [event["payload"] for event in events if isinstance(event["payload"], dict)]
    return list({tuple(map(gate.get, _GATE)): gate for gate in judged}.values())


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, *parameters: object
) -> list[dict[str, Any]]:
    result = connection.execute(query, list(parameters))
    columns = [column[0] for column in result.description or []]
    return [
        {name: _plain(name, value) for name, value in zip(columns, row, strict=True)}
        for row in result.fetchall()
    ]


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds") + "Z"
    if name in _JSON_COLUMNS and value is not None:
        return json.loads(value)
    return value


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
    """Return the latest recorded state of a run's league, or None if the run has none.

    The sizes have their names from the payload. `events` counts the changes (add, archive, ...),
    and `standings` lists the entries, strongest first.
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
