"""Write a copy of the database to a file, to analyze or to share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxpot.errors import UserError
from jaxpot.store import copying, database, errors
from jaxpot.store.canned import uids_of
from jaxpot.store.reader import Store

if TYPE_CHECKING:
    import duckdb


class Written(NamedTuple):
    """A snapshot: its file, number of runs, and size."""

    path: Path
    runs: int
    bytes: int


def write_snapshot(
    store: Store, target: Path, *, words: Sequence[str] = (), force: bool = False
) -> Written:
    """Write a copy of a store's database; the file appears only once it is complete.

    Args:
        store: The store; its journals are ingested first.
        target: The file to write.
        words: Words that select the runs to copy; a name or tag selects every run that has it.
            Empty for all runs.
        force: Replace an existing file.

    Raises:
        UserError: The file exists, its folder does not, or a word selects no run.
        StoreError: The database cannot be read, or there is no room.
    """
    _check(store, target, force=force)
    draft = target.absolute().with_name(f".{target.name}.{os.getpid()}")
    copy = draft.with_name(f"{draft.name}.copy")
    try:
        with store.reading() as connection:
            chosen = _chosen(connection, words)
            copying.copy_to(_file_of(connection, store), copy)
        if words:
            copying.rewrite(copy, draft, run_ids=chosen)
        else:
            _settle(copy)
            os.replace(copy, draft)
        database.replace(draft, target)
    finally:
        database.remove(copy)
        database.remove(draft)
    return Written(target, len(chosen), target.stat().st_size)


def _check(store: Store, target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise UserError(f"{target} is a folder; name a file")
    if not target.absolute().parent.is_dir():
        raise UserError(f"{target}: there is no folder {target.parent}")
    if target.exists():
        if store.path.exists() and target.samefile(store.path):
            raise UserError(f"{target} is the database itself; name another file")
        if not force:
            raise UserError(f"{target} is there already; --force replaces it")


def _chosen(connection: duckdb.DuckDBPyConnection, words: Sequence[str]) -> list[int]:
    """Return the ids of the runs that the words select; without words, of all runs."""
    found = connection.execute("SELECT uid, run_id FROM runs ORDER BY run_id").fetchall()
    ids: dict[str, int] = dict(found)
    if not ids:
        raise UserError("there is no run yet")
    if not words:
        return list(ids.values())
    return list({ids[uid]: None for word in words for uid in uids_of(word, connection)})


def _file_of(connection: duckdb.DuckDBPyConnection, store: Store) -> Path:
    """Return the file that a connection reads; a copy, if another program has the database open."""
    row = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchone()
    return Path(row[0]) if row and row[0] else store.path


def _settle(copy: Path) -> None:
    """Write a copy's write-ahead log into its file."""
    connection = database.connect(copy, read_only=False)
    with errors.guarded(copy):
        connection.execute("CHECKPOINT")
        connection.close()
