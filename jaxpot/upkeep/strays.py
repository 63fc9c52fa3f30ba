"""What lies beside the runs and is nobody's: half-made runs and databases, half-deleted runs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from jaxpot.store import database, errors
from jaxpot.store.ingest import exclusive
from jaxpot.store.runs import is_running
from jaxpot.store.trash import leftovers

# Younger ones are about to be locked or renamed by who makes them.
_YOUNG_SECONDS = 3600.0
_LOCK_WAIT_SECONDS = 2.0

_DRAFTS = (".new", ".rebuild")


def strays(runs_dir: Path) -> Iterator[tuple[Path, str]]:
    """Yields what can go, and why."""
    for pattern, reason in (
        (".making-*", "a run that was killed while it was made"),
        (".importing-*", "an import that was killed"),
    ):
        for path in sorted(runs_dir.glob(pattern)):
            if _age(path) > _YOUNG_SECONDS and not is_running(path):
                yield path, reason
    for path in leftovers(runs_dir):
        if _age(path) > _YOUNG_SECONDS:
            yield path, "a purge that was killed"
    for path in _drafts(runs_dir):
        if path.exists() and _age(path) > _YOUNG_SECONDS:
            yield path, "a database that was never finished"


def delete_stray(runs_dir: Path, path: Path) -> bool:
    """Deletes one of `strays`; says whether that was possible.

    A draft of the database goes under the lock of all who make one.
    """
    if path not in _drafts(runs_dir):
        shutil.rmtree(path, ignore_errors=True)  # whoever made it may be at it, too
        return not path.exists()
    try:
        with exclusive(runs_dir, wait=_LOCK_WAIT_SECONDS):
            path.unlink(missing_ok=True)
    except errors.LockKeptError:
        return False
    return True


def _drafts(runs_dir: Path) -> list[Path]:
    names = (f"{database.DATABASE_NAME}{suffix}" for suffix in _DRAFTS)
    drafts = [runs_dir / name for name in names]
    return [path for draft in drafts for path in (draft, database.wal(draft))]


def _age(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0
