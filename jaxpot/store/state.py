"""What the ingest knows of a run between one piece of its journal and the next.

It is loaded from the database, moved on by records, and written back in the transaction that adds
their rows: a piece of a journal means the same wherever it was cut.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jaxpot.store.tables import columns_of, insert_rows

if TYPE_CHECKING:
    import duckdb

# JSON readers keep whole numbers exactly up to 2**53.
_ID_BITS = 53


def run_id_of(uid: str) -> int:
    """Give a run's number: a hash, so that it derives from the journal alone."""
    return int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big") >> (64 - _ID_BITS)


class RunState:
    """One run's row, its newest attempt's row, its keys, tags and checkpoints."""

    def __init__(self, uid: str) -> None:
        self.run_id = run_id_of(uid)
        self.uid = uid
        self.position = 0
        self.size = 0
        self.tail = ""
        self.run: dict[str, Any] = dict.fromkeys(columns_of("runs"))
        self.run.update(run_id=self.run_id, uid=uid, name=uid, status="running")
        self.run.update(iterations=0, attempts=0)
        self.attempt: dict[str, Any] | None = None
        self.old_attempts: list[dict[str, Any]] = []
        self.keys: dict[str, dict[str, Any]] = {}
        self.tags: set[str] = set()
        self.tags_changed = False
        self.checkpoints: dict[tuple[str, int], dict[str, Any]] = {}
        self.keys_changed = False
        self.params: list[tuple[str, str]] | None = None
        self.changed_checkpoints: set[tuple[str, int]] = set()
        self.key_ids: dict[tuple[str, ...], array[int]] = {}

    def key_row(self, name: str) -> dict[str, Any]:
        """Give the dictionary's row of a key, making it where the name is new."""
        row = self.keys.get(name)
        if row is None:
            row = dict.fromkeys(columns_of("keys"))
            row.update(run_id=self.run_id, key_id=len(self.keys), name=name)
            self.keys[name] = row
            self.keys_changed = True
        return row

    def start_attempt(self, row: dict[str, Any]) -> None:
        """Make `row` the newest attempt; a repeated number replaces what was there."""
        before = self.attempt
        if before is not None and before["attempt"] != row["attempt"]:
            if before["status"] == "running":  # it was killed: one process at a time has the run
                before["status"] = "interrupted"
            self.old_attempts.append(before)
        self.attempt = row

    def settle(self, *, running: bool) -> None:
        """Give a run that has no end its status: whether a process still holds its lock."""
        if self.run["ended"] is None:
            status = "running" if running else "interrupted"
            self.run["status"] = status
            if self.attempt is not None:
                self.attempt["status"] = status


def load(connection: duckdb.DuckDBPyConnection, uids: Sequence[str]) -> dict[str, RunState]:
    """Give the states of runs, new ones for those that the database does not have."""
    states = {uid: RunState(uid) for uid in uids}
    by_id = {state.run_id: state for state in states.values()}

    def rows(table: str, order: str = "") -> list[dict[str, Any]]:
        columns = columns_of(table)
        listed = ", ".join(
            f"epoch_us({name})" if kind == "TIMESTAMP" else name for name, kind in columns.items()
        )
        query = (
            f"SELECT {listed} FROM {table} WHERE run_id IN (SELECT unnest($1::BIGINT[])) {order}"  # noqa: S608
        )
        found = connection.execute(query, [list(by_id)]).fetchall()
        return [dict(zip(columns, row, strict=True)) for row in found]

    for row in rows("journal_pos"):
        state = by_id[row["run_id"]]
        state.position, state.size, state.tail = row["position"], row["size"], row["tail"]
    for row in rows("runs"):
        by_id[row["run_id"]].run = row
    for row in rows("attempts", "ORDER BY attempt"):
        by_id[row["run_id"]].attempt = row
    for row in rows("keys", "ORDER BY key_id"):
        by_id[row["run_id"]].keys[row["name"]] = row
    for row in rows("tags"):
        by_id[row["run_id"]].tags.add(row["tag"])
    for row in rows("checkpoints"):
        by_id[row["run_id"]].checkpoints[row["kind"], row["iteration"]] = row
    return states


def store(connection: duckdb.DuckDBPyConnection, states: Sequence[RunState]) -> None:
    """Write states back, within the caller's transaction: old rows out, new rows in."""
    ids = [state.run_id for state in states]
    _replace(connection, "runs", ids, [state.run for state in states])
    positions = [(s.run_id, s.uid, s.position, s.size, s.tail) for s in states]
    _replace(connection, "journal_pos", ids, positions)
    _store_attempts(connection, states)
    _store_checkpoints(connection, states)
    changed = [state for state in states if state.keys_changed]
    rows = [row for state in changed for row in state.keys.values()]
    _replace(connection, "keys", [state.run_id for state in changed], rows)
    retagged = [state for state in states if state.tags_changed]
    tags = [(state.run_id, tag) for state in retagged for tag in sorted(state.tags)]
    _replace(connection, "tags", [state.run_id for state in retagged], tags)
    params = {state.run_id: state.params for state in states if state.params is not None}
    leaves = [(run_id, *leaf) for run_id, found in params.items() for leaf in found]
    _replace(connection, "params", list(params), leaves)
    for state in states:
        state.keys_changed = state.tags_changed = False
        state.params = None


def _store_attempts(connection: duckdb.DuckDBPyConnection, states: Sequence[RunState]) -> None:
    attempts = [
        row for s in states for row in [*s.old_attempts, *([s.attempt] if s.attempt else [])]
    ]
    if attempts:
        connection.execute(
            "DELETE FROM attempts WHERE (run_id, attempt) IN "
            "(SELECT unnest($1::BIGINT[]), unnest($2::INTEGER[]))",
            [[row["run_id"] for row in attempts], [row["attempt"] for row in attempts]],
        )
        insert_rows(connection, "attempts", [tuple(row.values()) for row in attempts])
    for state in states:
        state.old_attempts = []


def _store_checkpoints(connection: duckdb.DuckDBPyConnection, states: Sequence[RunState]) -> None:
    changed = [(state, key) for state in states for key in sorted(state.changed_checkpoints)]
    if changed:
        connection.execute(
            "DELETE FROM checkpoints WHERE (run_id, kind, iteration) IN "
            "(SELECT unnest($1::BIGINT[]), unnest($2::VARCHAR[]), unnest($3::INTEGER[]))",
            [
                [state.run_id for state, _ in changed],
                [kind for _, (kind, _) in changed],
                [iteration for _, (_, iteration) in changed],
            ],
        )
        rows = [tuple(state.checkpoints[key].values()) for state, key in changed]
        insert_rows(connection, "checkpoints", rows)
    for state in states:
        state.changed_checkpoints = set()


def forget(connection: duckdb.DuckDBPyConnection, run_ids: Sequence[int]) -> None:
    """Delete every row of runs, within the caller's transaction."""
    tables = connection.execute(
        "SELECT table_name FROM duckdb_columns() WHERE column_name = 'run_id' AND table_name IN "
        "(SELECT table_name FROM duckdb_tables())"
    ).fetchall()
    for (table,) in tables:
        _delete(connection, table, run_ids)


def _replace(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    run_ids: Sequence[int],
    rows: Sequence[Any],
) -> None:
    """Put rows in the place of all that a table has of some runs."""
    if run_ids:
        _delete(connection, table, run_ids)
        plain = [tuple(row.values()) if isinstance(row, dict) else row for row in rows]
        insert_rows(connection, table, plain)


def _delete(connection: duckdb.DuckDBPyConnection, table: str, run_ids: Sequence[int]) -> None:
    query = f"DELETE FROM {table} WHERE run_id IN (SELECT unnest($1::BIGINT[]))"  # noqa: S608
    connection.execute(query, [list(run_ids)])
