"""Remove runs to the trash, restore them, delete them for good, and find what would miss them.

One rename moves a run to `.trash/` or back, so it is always in exactly one place. Only the file
system knows about the trash: the database drops a run whose folder is gone, and ingests it again
when it is back.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from jaxpot.errors import UserError
from jaxpot.journal import (
    JOURNAL_NAME,
    End,
    Event,
    Header,
    JournalFile,
    Payload,
    read_header,
    records,
)
from jaxpot.store.runs import RunLock, RunRef, journals, run_dir

TRASH_NAME = ".trash"

_AGAIN = "~"  # not in a uid; for a run that was removed, imported and removed again
_PURGING = ".purging-"


class Trashed(NamedTuple):
    """A run in the trash."""

    uid: str
    name: str
    path: Path
    removed: float


def remove(runs_dir: Path, ref: RunRef) -> Trashed:
    """Move a run to the trash, under its lock, so that it cannot be started at the same time.

    Raises:
        RunLockedError: It is running.
        OSError: It cannot be moved.
    """
    trash = runs_dir / TRASH_NAME
    with RunLock(ref.path):
        trash.mkdir(exist_ok=True)
        target = trash / ref.uid
        number = 1
        while os.path.lexists(target):
            number += 1
            target = trash / f"{ref.uid}{_AGAIN}{number}"
        ref.path.rename(target)
    return _trashed(target)


def trashed(runs_dir: Path) -> list[Trashed]:
    """List the runs in the trash, last removed first."""
    return sorted(_all_trashed(runs_dir), key=lambda run: (run.removed, run.uid), reverse=True)


def find_trashed(runs_dir: Path, selector: str) -> Trashed:
    """Find a run in the trash by uid, `latest` (last removed), name, or the start of one uid.

    Raises:
        UserError: No run matches, or several do; they are listed.
    """
    runs = trashed(runs_dir)
    if not runs:
        raise UserError(f"the trash of {runs_dir} is empty")
    for found in (
        [run for run in runs if selector in (run.uid, run.path.name)],
        runs if selector == "latest" else [],
        [run for run in runs if run.name == selector],
    ):
        if found:
            return found[0]
    found = [run for run in runs if selector and run.uid.startswith(selector)]
    if len({run.uid for run in found}) == 1:
        return found[0]
    listed = ", ".join(f"{run.uid} ({run.name})" for run in (found or runs)[:5])
    if found:
        raise UserError(f"{selector!r} is the start of several runs in the trash: {listed}")
    raise UserError(f"no run in the trash is called {selector!r}; there are {listed}")


def restore(runs_dir: Path, run: Trashed) -> RunRef:
    """Move a run back from the trash.

    Raises:
        UserError: There is a run with this uid, or it is no longer in the trash.
    """
    target = run_dir(runs_dir, run.uid)
    taken = f"run {run.uid} cannot be restored: there is one of that uid in {runs_dir}"
    if os.path.lexists(target):
        raise UserError(f"{taken}; remove that one first")
    try:
        run.path.rename(target)
    except FileNotFoundError:
        raise UserError(f"run {run.uid} is not in the trash any more") from None
    except OSError as error:
        if target.exists():
            raise UserError(taken) from error
        raise
    return RunRef(run.uid, run.name, target)


def purge(runs_dir: Path, runs: Iterable[Trashed]) -> int:
    """Delete runs in the trash, and the rest of interrupted purges; return the bytes freed."""
    trash = runs_dir / TRASH_NAME
    doomed = list(leftovers(runs_dir))
    for run in runs:
        # From here on it cannot be restored: a half-deleted run is not a run.
        gone = trash / f"{_PURGING}{run.uid}-{secrets.token_hex(4)}"
        try:
            run.path.rename(gone)
        except FileNotFoundError:
            continue  # restored or purged in the meantime
        doomed.append(gone)
    freed = freed_bytes(doomed)
    for path in doomed:
        shutil.rmtree(path)
    if trash.is_dir() and not any(trash.iterdir()):
        trash.rmdir()
    return freed


def leftovers(runs_dir: Path) -> Iterator[Path]:
    """Yield the folders that interrupted purges did not finish deleting."""
    yield from sorted((runs_dir / TRASH_NAME).glob(f"{_PURGING}*"))


def _all_trashed(runs_dir: Path) -> Iterator[Trashed]:
    try:
        entries = list((runs_dir / TRASH_NAME).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in entries:
        if not path.name.startswith(".") and (path / JOURNAL_NAME).is_file():
            yield _trashed(path)


def _trashed(path: Path) -> Trashed:
    uid = path.name.partition(_AGAIN)[0]
    header = read_header(path / JOURNAL_NAME)
    name = uid if header is None or header.name is None else header.name
    # The rename set the ctime of the folder, and changed nothing in it.
    return Trashed(uid, name, path, path.stat().st_ctime)


def freed_bytes(paths: Iterable[Path]) -> int:
    """Count the bytes that deleting files and folders together would free.

    Checkpoints share files by hard links; a file's space is free once all its links are deleted.
    """
    names: Counter[tuple[int, int]] = Counter()
    status: dict[tuple[int, int], os.stat_result] = {}
    for path in paths:
        for found in _files(path):
            inode = (found.st_dev, found.st_ino)
            names[inode] += 1
            status[inode] = found
    return sum(found.st_size for inode, found in status.items() if names[inode] >= found.st_nlink)


def _files(path: Path) -> Iterator[os.stat_result]:
    """Yield the status of every file in and below `path`, without following links."""
    folders = [path]
    if not path.is_dir() or path.is_symlink():
        folders = []
        try:
            yield path.lstat()
        except FileNotFoundError:
            return
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    else:
                        # On some systems, the entry's cached status lacks the number of links.
                        yield os.stat(entry.path, follow_symlinks=False)
        except FileNotFoundError:
            continue  # deleted in the meantime


_SHOWN = 5


class Reference(NamedTuple):
    """A run's need for a checkpoint of another run.

    Attributes:
        uid: The uid of the run.
        name: The name of the run.
        owner: The uid of the other run.
        checkpoint: The checkpoint's directory, relative to the folder of all runs.
        role: `start` (its first network) or `opponent` (of an evaluator).
    """

    uid: str
    name: str
    owner: str
    checkpoint: str
    role: str


def references(runs_dir: Path) -> list[Reference]:
    """List the checkpoints of other runs that runs need, from their journals."""
    return sorted({found for file in journals(runs_dir) for found in _references(file)})


def needing(runs_dir: Path, uids: Collection[str]) -> list[Reference]:
    """List the checkpoints of the runs `uids` that other runs need."""
    return [
        found for found in references(runs_dir) if found.owner in uids and found.uid not in uids
    ]


def what_breaks(found: Collection[Reference]) -> str:
    """Describe what runs cannot do while the runs that they need are gone."""
    lines = [
        f"run {one.uid} ({one.name}) "
        + (
            f"started from {one.checkpoint}: without it, it cannot be verified, nor resumed before "
            "its own first checkpoint"
            if one.role == "start"
            else f"is evaluated against {one.checkpoint}: without it, it cannot be resumed or "
            "verified"
        )
        for one in list(found)[:_SHOWN]
    ]
    more = len(found) - _SHOWN
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def _references(file: JournalFile) -> Iterator[Reference]:
    name = file.uid
    try:
        for record in records(file.path):
            match record:
                case Header():
                    name = record.name or file.uid
                    yield from _reference(file.uid, name, record.parent, "start")
                case Event(name="opponent", payload={"checkpoint": path}):
                    yield from _reference(file.uid, name, path, "opponent")
                case Payload() | End():
                    return  # an attempt names its opponents before it trains
                case _:
                    pass
    except OSError:
        return


def _reference(uid: str, name: str, path: Any, role: str) -> Iterator[Reference]:
    parts = PurePosixPath(path).parts if isinstance(path, str) else ()
    if len(parts) > 1 and parts[0] != uid:
        yield Reference(uid, name, parts[0], str(path), role)
