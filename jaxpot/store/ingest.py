"""Read journals into the database, each line exactly once.

Ingest works in bursts. A burst takes the lock file, opens the database, adds rows and moves the
journals' positions in one transaction, and then releases both, so that others get their turn. A
process that is killed has added all of a burst or nothing.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jaxpot.journal import FutureJournalError, JournalFile
from jaxpot.store import database, errors
from jaxpot.store.batch import Batch
from jaxpot.store.locking import FileLock
from jaxpot.store.runs import Position, journals, positions_in, stale
from jaxpot.store.state import RunState, forget, load, run_id_of, store
from jaxpot.store.unread import Skip, Unread

if TYPE_CHECKING:
    import duckdb

# A burst of 32 MiB holds the database for about a second and some 100 MB of memory.
BURST_BYTES = 32 << 20

_PAUSE_SECONDS = 0.02
_POLL_SECONDS = 0.05
_NAMED_SKIPS = 3
_BEHIND = "what was recorded last is not in the database yet"


@dataclass(slots=True)
class IngestReport:
    """The result of an ingest, and the reasons why it is incomplete, if it is."""

    runs: int = 0
    lines: int = 0
    points: int = 0
    skipped: list[Skip] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    holder: int | None = None
    rebuilt: str | None = None

    def notices(self) -> list[str]:
        """Return messages for the user, one per line."""
        lines = [self.rebuilt] if self.rebuilt else []
        seen: Counter[Path] = Counter()
        for path, offset, reason in self.skipped:
            seen[path] += 1
            if seen[path] <= _NAMED_SKIPS:
                lines.append(f"{path}: skipped the damaged line at byte {offset}: {reason}")
        lines += [
            f"{path}: skipped {count} damaged lines in all"
            for path, count in seen.items()
            if count > _NAMED_SKIPS
        ]
        lines += [f"run {uid} is not in the database: {why}" for uid, why in self.refused.items()]
        if self.problem:
            lines.append(self.problem)
        return lines


def ingest(runs_dir: Path, *, wait: float = 2.0) -> IngestReport:
    """Update the database from the journals.

    A database of an older jaxpot is rebuilt from the journals, which hold everything.

    A lock that is held for longer than `wait` seconds, a database that another program has open, a
    full disk and a read-only folder are not errors: the report names the problem.

    Raises:
        StoreError: The database is damaged, or a newer jaxpot made it.
    """
    report = IngestReport()
    path = runs_dir / database.DATABASE_NAME
    try:
        while path.exists() or any(True for _ in journals(runs_dir)):
            with exclusive(runs_dir, wait=wait):
                if not path.exists():
                    database.create(path)
                try:
                    with opened(path, wait=wait) as connection:
                        done = burst(connection, runs_dir, report)
                except errors.OldSchemaError as old:
                    remake(path, runs_dir, report, wait=wait)
                    report.rebuilt = (
                        f"{path} was an older jaxpot's (schema {old.found}, now "
                        f"{database.SCHEMA_VERSION}) and was rebuilt from the journals"
                    )
                    done = True
            if done:
                break
            time.sleep(_PAUSE_SECONDS)
    except errors.DatabaseHeldError as held:
        report.problem, report.holder = f"{held}: {_BEHIND}", held.pid
    except (errors.LockKeptError, errors.DatabaseFullError) as error:
        report.problem = f"{error}: {_BEHIND}"
    except OSError as error:
        report.problem = f"{error.filename or path}: {error.strerror}: {_BEHIND}"
    return report


def rebuild(runs_dir: Path, *, wait: float = 10.0) -> IngestReport:
    """Rebuild the database from the journals.

    Raises:
        StoreError: There is no run, another program has the database open, or there is no room.
    """
    path = runs_dir / database.DATABASE_NAME
    if not path.exists() and not any(True for _ in journals(runs_dir)):
        raise errors.StoreError(f"there is no run in {runs_dir}")
    report = IngestReport()
    with exclusive(runs_dir, wait=wait):
        remake(path, runs_dir, report, wait=wait)
    return report


def remake(path: Path, runs_dir: Path, report: IngestReport, *, wait: float) -> None:
    """Write a new database from the journals and move it to `path`; the caller holds the lock.

    The old database stays whole and readable until the new one is complete.

    Raises:
        StoreError: Another program has the database open, or there is no room.
    """
    draft = path.with_name(f"{path.name}.rebuild")
    try:
        database.remove(draft)
        database.create(draft)
        done = False
        while not done:
            with opened(draft, wait=wait) as connection:
                done = burst(connection, runs_dir, report)
        database.wait_until_free(path, wait=wait)
        database.replace(draft, path)
    finally:
        database.remove(draft)


@contextmanager
def exclusive(runs_dir: Path, *, wait: float) -> Iterator[None]:
    """Hold the lock file exclusively, as every writer of the database does.

    Raises:
        LockKeptError: Another process holds it.
        OSError: It cannot be opened for writing.
    """
    lock = FileLock(runs_dir / database.LOCK_NAME)
    if not lock.acquire(wait=wait):
        raise errors.LockKeptError(f"{lock.path} is kept by {lock.holder()}")
    try:
        lock.write(f"process {os.getpid()}\n")
        yield
    finally:
        lock.write("")
        lock.release()


@contextmanager
def opened(path: Path, *, wait: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the database for one transaction, which commits at the end of the block.

    Raises:
        StoreError: The database cannot be opened or written.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            connection = database.connect(path, read_only=False)
            break
        except errors.DatabaseHeldError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_SECONDS)
    try:
        with errors.guarded(path):
            connection.begin()
            yield connection
            connection.commit()
    finally:
        connection.close()  # rolls back what was not committed


def burst(connection: duckdb.DuckDBPyConnection, runs_dir: Path, report: IngestReport) -> bool:
    """Ingest up to `BURST_BYTES` of new lines; return whether that was all."""
    positions = positions_in(connection)
    due = sorted(stale(runs_dir, positions))
    files = {file.uid: file for file in journals(runs_dir)}
    gone = [run_id_of(uid) for uid in due if uid not in files]
    if gone:
        forget(connection, gone)
    here = [uid for uid in due if uid in files and uid not in report.refused]
    chosen = _some(here, files, positions)
    batch = Batch()
    states: list[RunState] = []
    all_read = len(chosen) == len(here)
    room = BURST_BYTES
    for state in load(connection, chosen).values():
        unread = Unread(files[state.uid], state)
        try:
            if not unread.is_same_journal():
                forget(connection, [state.run_id])
                unread = Unread(files[state.uid], RunState(state.uid))
            room -= unread.take(batch, max(room, 1))
        except (FutureJournalError, OSError) as error:
            reason = f"its journal: {error.strerror}" if isinstance(error, OSError) else str(error)
            report.refused[state.uid] = reason
            all_read = False  # the runs that it displaced get the next burst, without it
            continue
        all_read = all_read and unread.finished
        unread.settle()
        states.append(unread.state)
        report.lines += unread.lines
        report.skipped += unread.skipped
    batch.insert(connection, ended={s.run_id for s in states if s.run["status"] != "running"})
    store(connection, states)
    report.runs += len(states)
    report.points += batch.points
    return all_read


def _some(
    uids: Iterable[str], files: dict[str, JournalFile], positions: dict[str, Position]
) -> list[str]:
    """Return the first journals, as many as fill a burst."""
    chosen, room = [], BURST_BYTES
    for uid in uids:
        if room <= 0:
            break
        chosen.append(uid)
        room -= files[uid].size - (positions[uid].position if uid in positions else 0)
    return chosen
