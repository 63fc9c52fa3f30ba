"""Where runs live: their uids, folders, locks, and how a user's word for a run finds it."""

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
from typing import Any, NamedTuple

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, Header, Journal, read_header
from jaxpot.store import database
from jaxpot.store.locking import FileLock, is_locked
from jaxpot.store.tags import tags_of

LOCK_NAME = "run.lock"

_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DATED = re.compile(r"[0-9]{8}")
# A reader's look at the lock holds it for microseconds, shared; a starting run outwaits that.
_LOCK_WAIT_SECONDS = 1.0
_SHOWN_CANDIDATES = 5
_MAKING = ".making-"
_MAKING_SECONDS = 60.0


class RunRef(NamedTuple):
    """A run that was found on disk."""

    uid: str
    name: str
    path: Path


class JournalFile(NamedTuple):
    """A run's journal as the file system shows it."""

    uid: str
    path: Path
    size: int


class RunLockedError(UserError):
    """Another process writes this run."""


def new_uid() -> str:
    """Make a uid that sorts by time (UTC, to the second) and is unique by chance."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + "-" + os.urandom(3).hex()


def run_dir(runs_dir: Path, uid: str) -> Path:
    """Give the folder of a run, refusing a uid that is not a plain folder name."""
    if not _UID.fullmatch(uid):
        raise UserError(f"{uid!r} is not a run's uid")
    return runs_dir / uid


class RunLock:
    """The lock that a run holds for its life: one writer of a journal at a time."""

    def __init__(self, path: Path) -> None:
        self.run_dir = path
        self._lock = FileLock(path / LOCK_NAME)

    def acquire(self) -> RunLock:
        """Take the lock or say who has it.

        Raises:
            RunLockedError: another process, named, holds it.
            UserError: the run's folder, or the lock in it, is a link, which is not written through.
        """
        for path in (self.run_dir, self.run_dir / LOCK_NAME, self.run_dir / JOURNAL_NAME):
            if path.is_symlink():
                raise UserError(f"{path} is a link; a run is written only where it lies itself")
        if not self._lock.acquire(wait=_LOCK_WAIT_SECONDS):
            holder = self._lock.holder()
            raise RunLockedError(f"run {self.run_dir.name} is being written by {holder}")
        if not (self.run_dir / LOCK_NAME).exists():  # it was renamed while this waited
            self.release()
            raise UserError(f"run {self.run_dir.name} was removed just now")
        self._lock.write(f"process {os.getpid()} on {os.uname().nodename}\n")
        return self

    def release(self) -> None:
        """Let go of the run."""
        self._lock.release()

    def __enter__(self) -> RunLock:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


@contextmanager
def create_run(runs_dir: Path, header: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Make a new run's folder, its journal begun with `header`, and hold its lock.

    The folder appears under its name with the header in it: a run that is killed at any moment
    either can be resumed or never was there.

    Args:
        runs_dir: folder of all runs; made where there is none.
        header: the journal's first record, without its kind and uid.

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
    """Remove what runs that were killed while they were made left behind."""
    for left in runs_dir.glob(f"{_MAKING}*"):
        try:
            age = time.time() - left.stat().st_mtime
        except FileNotFoundError:
            continue  # its run has its own name by now
        # Younger ones may be about to be locked.
        if age > _MAKING_SECONDS and not is_running(left):
            shutil.rmtree(left, ignore_errors=True)


def is_running(path: Path) -> bool:
    """Say whether some process holds the lock of the run in folder `path`."""
    return is_locked(path / LOCK_NAME)


def journals(runs_dir: Path) -> Iterator[JournalFile]:
    """Yield every run's journal under `runs_dir`, in no order; nothing when there is no folder."""
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
    """Find a run by a user's word for it.

    In this order a word is a uid, `latest`, a name or a tag (the newest run that has it), or the
    start of one run's uid; one that begins with a date, as uids do, is that start before it is a
    tag. The journals decide, so that a run can be resumed whatever state the database is in; it is
    asked about tags only, and read around where it fails.

    Raises:
        UserError: no run answers to `selector`, or several do; they are listed.
    """
    return _Known(runs_dir).find(selector)[0]


def find_all(runs_dir: Path, selectors: Iterable[str], *, every: bool = False) -> list[RunRef]:
    """Find runs by words for them, each run once, in the order of the words.

    Args:
        runs_dir: The folder of the runs.
        selectors: Words as `find` takes them.
        every: A name or a tag means all runs that have it, the newest first, not the newest alone.

    Raises:
        UserError: a word finds no run, or is the start of several.
    """
    known = _Known(runs_dir)
    found: dict[str, RunRef] = {}
    for selector in selectors:
        refs = known.find(selector)
        found.update((ref.uid, ref) for ref in (refs if every else refs[:1]))
    return list(found.values())


class _Known:
    """The runs of a folder, read as far as the words for them need it."""

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
        """Give the runs that answer to a word, the newest first, at least one."""
        if selector in self._files:
            return [_dated(self._files[selector])[1]]
        if selector == "latest":
            return self._newest_first[:1]
        if found := [ref for ref in self._newest_first if ref.name == selector]:
            return found
        matches = [ref for ref in self._newest_first if selector and ref.uid.startswith(selector)]
        if len(matches) == 1 and _DATED.match(selector):
            return matches  # without a look at tags, which may be long
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
