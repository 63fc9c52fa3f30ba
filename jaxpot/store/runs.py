"""Runs on disk: uids, folders, locks, finding runs by a word, and which ones need an ingest."""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, Header, Journal, JournalFile, read_header
from jaxpot.store import database
from jaxpot.store.locking import FileLock, is_locked
from jaxpot.store.tags import tags_of

if TYPE_CHECKING:
    import duckdb

LOCK_NAME = "run.lock"

_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DATED = re.compile(r"[0-9]{8}")
# A reader that checks the lock holds it for microseconds; a starting run waits for that.
_LOCK_WAIT_SECONDS = 1.0
_SHOWN_CANDIDATES = 5
_MAKING = ".making-"
_MAKING_SECONDS = 60.0


class RunRef(NamedTuple):
    """A run on disk."""

    uid: str
    name: str
    path: Path


class RunLockedError(UserError):
    """Another process is writing this run."""


def new_uid() -> str:
    """Create a uid: the time (UTC, to the second), so that uids sort by it, and a random part."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + "-" + os.urandom(3).hex()


def run_dir(runs_dir: Path, uid: str) -> Path:
    """Return the folder of a run; refuse a uid that is not a plain folder name."""
    if not _UID.fullmatch(uid):
        raise UserError(f"{uid!r} is not a run's uid")
    return runs_dir / uid


class RunLock:
    """The lock that a run holds while it runs, so that a journal has one writer."""

    def __init__(self, path: Path) -> None:
        self.run_dir = path
        self._lock = FileLock(path / LOCK_NAME)

    def acquire(self) -> RunLock:
        """Take the lock.

        Raises:
            RunLockedError: Another process holds it; the text names the process.
            UserError: The run's folder, lock or journal is a link, which could lead anywhere.
        """
        for path in (self.run_dir, self.run_dir / LOCK_NAME, self.run_dir / JOURNAL_NAME):
            if path.is_symlink():
                raise UserError(f"{path} is a link; a run is written only in its real folder")
        if not self._lock.acquire(wait=_LOCK_WAIT_SECONDS):
            holder = self._lock.holder()
            raise RunLockedError(f"run {self.run_dir.name} is being written by {holder}")
        if not (self.run_dir / LOCK_NAME).exists():  # it was removed while we waited
            self.release()
            raise UserError(f"run {self.run_dir.name} was removed just now")
        self._lock.write(f"process {os.getpid()} on {os.uname().nodename}\n")
        return self

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def __enter__(self) -> RunLock:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


@contextmanager
def create_run(runs_dir: Path, header: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Create a new run's folder with a journal that starts with `header`, and hold its lock.

    The folder gets its name once the header is in it: a run that is killed at any moment either can
    be resumed or does not exist.

    Args:
        runs_dir: The folder of all runs; created if it does not exist.
        header: The journal's first record, without its kind and uid.

    Yields:
        The run's uid and folder.
    """
    database.check_place(runs_dir)
    runs_dir.mkdir(parents=True, exist_ok=True)
    _sweep(runs_dir)
    uid = new_uid()
    making = runs_dir / f"{_MAKING}{uid}"
    making.mkdir()
    with RunLock(making):
        with Journal(making / JOURNAL_NAME) as journal:
            journal.append(Header(uid=uid, **header))
            journal.sync()
        folder = run_dir(runs_dir, uid)
        making.rename(folder)
        yield uid, folder


def _sweep(runs_dir: Path) -> None:
    """Remove the folders of runs that were killed while they were created."""
    for left in runs_dir.glob(f"{_MAKING}*"):
        try:
            age = time.time() - left.stat().st_mtime
        except FileNotFoundError:
            continue  # its run has been renamed by now
        # Younger ones may be about to be locked.
        if age > _MAKING_SECONDS and not is_running(left):
            shutil.rmtree(left, ignore_errors=True)


def is_running(path: Path) -> bool:
    """Return whether a process holds the lock of the run in folder `path`."""
    return is_locked(path / LOCK_NAME)


def journals(runs_dir: Path) -> Iterator[JournalFile]:
    """Yield the journals of all runs, in no particular order; none if the folder is missing."""
    try:
        entries = os.scandir(runs_dir)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if not _UID.fullmatch(entry.name):
                continue
            path = os.path.join(entry.path, JOURNAL_NAME)
            try:
                found = os.stat(path)
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode):
                yield JournalFile(entry.name, Path(path), found.st_size)


def find(runs_dir: Path, selector: str) -> RunRef:
    """Find a run by a word that selects it.

    The word is tried as a uid, `latest`, a name, a tag, and the start of one run's uid, in this
    order; of several runs with that name or tag, the newest is used. A word that begins with a
    date, as uids do, is tried as a start before it is tried as a tag. This reads the journals, so
    that a run can be resumed in whatever state the database is; the database only speeds up tags.

    Raises:
        UserError: No run matches `selector`, or several do; they are listed.
    """
    return _Known(runs_dir).find(selector)[0]


def find_all(runs_dir: Path, selectors: Iterable[str], *, every: bool = False) -> list[RunRef]:
    """Find runs by words, each run once, in the order of the words.

    Args:
        runs_dir: The folder of the runs.
        selectors: Words as `find` takes them.
        every: A name or tag selects all runs that have it, newest first, not only the newest.

    Raises:
        UserError: A word selects no run, or is the start of several uids.
    """
    known = _Known(runs_dir)
    found: dict[str, RunRef] = {}
    for selector in selectors:
        refs = known.find(selector)
        found.update((ref.uid, ref) for ref in (refs if every else refs[:1]))
    return list(found.values())


class _Known:
    """The runs of a folder, read as far as needed."""

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._files = {file.uid: file for file in journals(runs_dir)}
        if not self._files:
            raise UserError(f"there is no run in {runs_dir}")

    @cached_property
    def _newest_first(self) -> list[RunRef]:
        dated = sorted((_dated(file) for file in self._files.values()), reverse=True)
        return [ref for _, ref in dated]

    @cached_property
    def _tags(self) -> dict[str, set[str]]:
        return tags_of(self._runs_dir, self._files.values())

    def find(self, selector: str) -> list[RunRef]:
        """Return the runs that a word selects, newest first, at least one."""
        if selector in self._files:
            return [_dated(self._files[selector])[1]]
        if selector == "latest":
            return self._newest_first[:1]
        if found := [ref for ref in self._newest_first if ref.name == selector]:
            return found
        matches = [ref for ref in self._newest_first if selector and ref.uid.startswith(selector)]
        if len(matches) == 1 and _DATED.match(selector):
            return matches  # without reading tags, which may take long
        if found := [ref for ref in self._newest_first if selector in self._tags[ref.uid]]:
            return found
        if len(matches) == 1:
            return matches
        if matches:
            raise UserError(f"{selector!r} is the start of {len(matches)} runs: {_list(matches)}")
        raise UserError(
            f"no run in {self._runs_dir} is called {selector!r}, or tagged so; the newest are "
            f"{_list(self._newest_first)}"
        )


def _dated(file: JournalFile) -> tuple[tuple[float, str], RunRef]:
    header = read_header(file.path)
    name = file.uid if header is None or header.name is None else header.name
    when = 0.0 if header is None else header.time
    return (when, file.uid), RunRef(file.uid, name, file.path.parent)


def _list(refs: Sequence[RunRef]) -> str:
    shown = ", ".join(f"{ref.uid} ({ref.name})" for ref in refs[:_SHOWN_CANDIDATES])
    return shown + (", ..." if len(refs) > _SHOWN_CANDIDATES else "")


class Position(NamedTuple):
    """How far the database has read one journal."""

    position: int
    size: int
    status: str


def positions_in(connection: duckdb.DuckDBPyConnection) -> dict[str, Position]:
    """Return how far the database has read each journal that it knows."""
    rows = connection.execute(
        "SELECT p.uid, p.position, p.size, r.status "
        "FROM journal_pos AS p JOIN runs AS r ON r.run_id = p.run_id"
    ).fetchall()
    return {uid: Position(*rest) for uid, *rest in rows}


def stale(runs_dir: Path, positions: Mapping[str, Position]) -> Iterator[str]:
    """Yield the uids of runs that need an ingest."""
    known = dict(positions)
    for file in journals(runs_dir):
        found = known.pop(file.uid, None)
        if (
            found is None
            or found.size != file.size
            or (found.status == "running" and not is_running(file.path.parent))
        ):
            yield file.uid
    yield from known  # their folders are gone
