"""From journals to the database, each line exactly once.

A burst takes the lock file, opens the database, and in one transaction adds rows and moves the
journals' positions; then it lets go of both, so that others get their turn. Whoever is killed on
the way has added all of a burst or nothing of it.
"""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxpot.store import database
from jaxpot.store.batch import Batch
from jaxpot.store.freshness import Position, positions_in, stale
from jaxpot.store.history import MAX_LINE_BYTES
from jaxpot.store.lines import FutureJournalError, take_line
from jaxpot.store.locking import FileLock
from jaxpot.store.runs import JournalFile, is_running, journals
from jaxpot.store.state import RunState, forget, load, run_id_of, store

if TYPE_CHECKING:
    import duckdb

# A burst of 32 MiB holds the database for about half a second and some 100 MB of memory.
BURST_BYTES = 32 << 20

_TAIL_BYTES = 64
_PAUSE_SECONDS = 0.02
_POLL_SECONDS = 0.05
_NAMED_SKIPS = 3
_BEHIND = "what was recorded last is not in the database yet"


class Skip(NamedTuple):
    """A damaged line that was passed over."""

    path: Path
    offset: int
    reason: str


@dataclass(slots=True)
class IngestReport:
    """What an ingest did, and what kept it from doing all."""

    runs: int = 0
    lines: int = 0
    points: int = 0
    skipped: list[Skip] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    holder: int | None = None

    def notices(self) -> list[str]:
        """Give what a user should be told, a line each."""
        told: list[str] = []
        seen: Counter[Path] = Counter()
        for path, offset, reason in self.skipped:
            seen[path] += 1
            if seen[path] <= _NAMED_SKIPS:
                told.append(f"{path}: skipped the damaged line at byte {offset}: {reason}")
        told += [
            f"{path}: skipped {count} damaged lines in all"
            for path, count in seen.items()
            if count > _NAMED_SKIPS
        ]
        told += [f"run {uid} is not in the database: {why}" for uid, why in self.refused.items()]
        if self.problem:
            told.append(self.problem)
        return told


def ingest(runs_dir: Path, *, wait: float = 2.0) -> IngestReport:
    """Bring the database up to what the journals hold.

    A lock that somebody keeps longer than `wait` seconds, a database that another program holds,
    a full disk and a folder that cannot be written to are no errors: the report says what kept
    the rest from being added.

    Raises:
        StoreError: the database is damaged, or another version of jaxpot made it.
    """
    report = IngestReport()
    path = runs_dir / database.DATABASE_NAME
    try:
        while path.exists() or any(True for _ in journals(runs_dir)):
            with exclusive(runs_dir, wait=wait):
                if not path.exists():
                    database.create(path)
                with opened(path, wait=wait) as connection:
                    done = burst(connection, runs_dir, report)
            if done:
                break
            time.sleep(_PAUSE_SECONDS)
    except database.DatabaseHeldError as held:
        report.problem, report.holder = f"{held}: {_BEHIND}", held.pid
    except (database.LockKeptError, database.DatabaseFullError) as error:
        report.problem = f"{error}: {_BEHIND}"
    except OSError as error:
        report.problem = f"{error.filename or path}: {error.strerror}: {_BEHIND}"
    return report


@contextmanager
def exclusive(runs_dir: Path, *, wait: float) -> Iterator[None]:
    """Hold the lock file that every ingest, and nobody else, holds exclusively.

    Raises:
        LockKeptError: somebody kept it.
        OSError: it cannot be opened for writing.
    """
    lock = FileLock(runs_dir / database.LOCK_NAME)
    if not lock.acquire(wait=wait):
        raise database.LockKeptError(f"{lock.path} is kept by {lock.holder()}")
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
        StoreError: the database cannot be opened, or what was done in it cannot be kept.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            connection = database.connect(path, read_only=False)
            break
        except database.DatabaseHeldError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_SECONDS)
    try:
        with database.guarded(path):
            connection.begin()
            yield connection
            connection.commit()
    finally:
        connection.close()  # what was not committed is rolled back


def burst(connection: duckdb.DuckDBPyConnection, runs_dir: Path, report: IngestReport) -> bool:
    """Take in up to `BURST_BYTES` of what is new; say whether that was all."""
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
        piece = _Piece(files[state.uid], state)
        try:
            if not piece.is_same_journal():
                forget(connection, [state.run_id])
                piece = _Piece(files[state.uid], RunState(state.uid))
            room -= piece.take(batch, report, max(room, 1))
        except (FutureJournalError, OSError) as error:
            reason = f"its journal: {error.strerror}" if isinstance(error, OSError) else str(error)
            report.refused[state.uid] = reason
            all_read = False  # those that it kept out of this burst have the next, without it
            continue
        all_read = all_read and piece.finished
        piece.settle()
        states.append(piece.state)
    batch.insert(connection)
    store(connection, states)
    report.runs += len(states)
    report.points += batch.points
    return all_read


def _some(
    uids: Iterable[str], files: dict[str, JournalFile], positions: dict[str, Position]
) -> list[str]:
    """Give the first journals that make up a burst."""
    chosen, room = [], BURST_BYTES
    for uid in uids:
        if room <= 0:
            break
        chosen.append(uid)
        room -= files[uid].size - (positions[uid].position if uid in positions else 0)
    return chosen


class _Piece:
    """What is new in one journal, read as far as there is room."""

    def __init__(self, file: JournalFile, state: RunState) -> None:
        self.file = file
        self.state = state
        self.finished = False

    def is_same_journal(self) -> bool:
        """Say whether the journal still is the one whose beginning was taken in.

        A power cut can take back lines that were in the page cache and already ingested.
        """
        state = self.state
        if self.file.size < state.position:
            return False
        start = max(0, state.position - _TAIL_BYTES)
        with self.file.path.open("rb") as journal:
            journal.seek(start)
            return journal.read(state.position - start).hex() == state.tail

    def take(self, batch: Batch, report: IngestReport, room: int) -> int:
        """Add rows for whole lines, about `room` bytes of them; give the bytes taken."""
        state, start = self.state, self.state.position
        lines = self._lines(room)  # read before anything is added: a journal counts or fails whole
        for line in lines:
            reason = take_line(state, batch, line, state.position)
            if reason is not None:
                report.skipped.append(Skip(self.file.path, state.position, reason))
            state.position += len(line) + 1
            report.lines += 1
        taken = b"".join(line + b"\n" for line in lines[-_TAIL_BYTES:])
        state.tail = (bytes.fromhex(state.tail) + taken)[-_TAIL_BYTES:].hex()
        state.size = self.file.size if self.finished else state.position
        return state.position - start

    def settle(self) -> None:
        """Give the run its status."""
        # The lock first: who let go of it has written all that he will.
        running = not self.finished or is_running(self.file.path.parent)
        self.state.settle(running=running or not self._is_all())

    def _is_all(self) -> bool:
        try:
            return self.file.path.stat().st_size == self.file.size
        except OSError:
            return False

    def _lines(self, room: int) -> list[bytes]:
        left = self.file.size - self.state.position
        with self.file.path.open("rb") as journal:
            journal.seek(self.state.position)
            piece = journal.read(min(left, room))
            while (end := piece.rfind(b"\n")) < 0 and len(piece) < left:
                if len(piece) > MAX_LINE_BYTES:
                    raise OSError(errno.EFBIG, "a line of it is too long to be a record")
                more = journal.read(min(left - len(piece), BURST_BYTES))
                if not more:
                    break
                piece += more
        self.finished = len(piece) >= left
        return piece[:end].split(b"\n") if end >= 0 else []
