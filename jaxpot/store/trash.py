"""The trash: runs that were removed, each whole, to be restored or deleted for good.

A run goes to `.trash/` and comes back by one rename, so at no moment is it in both places or in
neither. Nothing but the file system remembers it: the database forgets a run whose folder is gone
and takes one in that is back.
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
from jaxpot.store.history import read_header, records
from jaxpot.store.journal import JOURNAL_NAME
from jaxpot.store.runs import JournalFile, RunLock, RunRef, journals, run_dir

TRASH_NAME = ".trash"

_AGAIN = "~"  # not in a uid: the folder of one that was removed, imported and removed again
_PURGING = ".purging-"


class Trashed(NamedTuple):
    """A run in the trash."""

    uid: str
    name: str
    path: Path
    removed: float


def remove(runs_dir: Path, ref: RunRef) -> Trashed:
    """Move a run to the trash, under its lock: nobody can start it meanwhile.

    Raises:
        RunLockedError: it is running.
        OSError: it cannot be moved.
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
    """List the runs in the trash, the one that was removed last first."""
    return sorted(_all_trashed(runs_dir), key=lambda run: (run.removed, run.uid), reverse=True)


def find_trashed(runs_dir: Path, selector: str) -> Trashed:
    """Find a run in the trash: by uid, `latest` (removed last), name or the start of one uid.

    Raises:
        UserError: none answers to it, or several do; they are listed.
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
        UserError: there is a run of that uid, or it is not in the trash any more.
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
    """Delete runs in the trash for good, and what an interrupted purge left; give bytes freed."""
    trash = runs_dir / TRASH_NAME
    doomed = list(leftovers(runs_dir))
    for run in runs:
        # From here it cannot be restored: half of a run is none.
        gone = trash / f"{_PURGING}{run.uid}-{secrets.token_hex(4)}"
        try:
            run.path.rename(gone)
        except FileNotFoundError:
            continue  # restored or purged meanwhile
        doomed.append(gone)
    freed = freed_bytes(doomed)
    for path in doomed:
        shutil.rmtree(path)
    if trash.is_dir() and not any(trash.iterdir()):
        trash.rmdir()
    return freed


def leftovers(runs_dir: Path) -> Iterator[Path]:
    """Yield what interrupted purges left."""
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
    name = (read_header(path / JOURNAL_NAME) or {}).get("name")
    # A rename changes the folder's own record in the file system, and nothing in it.
    return Trashed(uid, name if isinstance(name, str) else uid, path, path.stat().st_ctime)


def freed_bytes(paths: Iterable[Path]) -> int:
    """Count the bytes that deleting files and folders together gives back.

    Checkpoints share files by hard links, and a file is gone with its last name only.
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
    """Yield what each name of a file below `path` says, following no link."""
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
                        # An entry's own cached look knows no number of links on some systems.
                        yield os.stat(entry.path, follow_symlinks=False)
        except FileNotFoundError:
            continue  # deleted meanwhile


_SHOWN = 5


class Reference(NamedTuple):
    """A run that needs a checkpoint of another one.

    Attributes:
        uid: The run's.
        name: The run's.
        owner: The uid of the run whose checkpoint it is.
        checkpoint: Its directory, relative to the folder of all runs.
        role: What for: `start`, its first network, or `opponent`, of an evaluator.
    """

    uid: str
    name: str
    owner: str
    checkpoint: str
    role: str


def references(runs_dir: Path) -> list[Reference]:
    """List what runs need of other runs, as their journals say before their first iteration."""
    return sorted({found for file in journals(runs_dir) for found in _references(file)})


def needing(runs_dir: Path, uids: Collection[str]) -> list[Reference]:
    """List what runs beyond `uids` need of these."""
    return [
        found for found in references(runs_dir) if found.owner in uids and found.uid not in uids
    ]


def what_breaks(found: Collection[Reference]) -> str:
    """Say in words which runs lose what, while the runs that they need are away."""
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
                case {"kind": "header"}:
                    if isinstance(record.get("name"), str):
                        name = record["name"]
                    yield from _reference(file.uid, name, record.get("parent"), "start")
                case {"kind": "event", "name": "opponent", "payload": {"checkpoint": path}}:
                    yield from _reference(file.uid, name, path, "opponent")
                case {"kind": "payload" | "end"}:
                    return  # an attempt names its opponents before it trains
                case _:
                    pass
    except OSError:
        return


def _reference(uid: str, name: str, path: Any, role: str) -> Iterator[Reference]:
    parts = PurePosixPath(path).parts if isinstance(path, str) else ()
    if len(parts) > 1 and parts[0] != uid:
        yield Reference(uid, name, parts[0], str(path), role)
