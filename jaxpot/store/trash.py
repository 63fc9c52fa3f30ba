"""The trash: runs that were removed, each whole, to be restored or deleted for good.

A run goes to `.trash/` and comes back by one rename, so at no moment is it in both places or in
neither. Nothing but the file system remembers it: the database forgets a run whose folder is gone
and takes one in that is back.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, read_header
from jaxpot.store.disk import freed_bytes
from jaxpot.store.runs import RunLock, RunRef, run_dir

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
    header = read_header(path / JOURNAL_NAME)
    name = uid if header is None or header.name is None else header.name
    # A rename changes the folder's own record in the file system, and nothing in it.
    return Trashed(uid, name, path, path.stat().st_ctime)
