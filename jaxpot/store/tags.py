"""Find the tags of runs, even if the database is out of date or cannot be used.

Tags come from the database, as far as it has read a journal, and from the rest of the journal. If
the database cannot be used, whole journals are read: the result is the same, but takes longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from jaxpot.journal import Header, JournalFile, Tag, Untag, records
from jaxpot.store import database, errors
from jaxpot.store.locking import FileLock

_WAIT_SECONDS = 3.0  # less than it takes to read every journal
_KNOWN = (
    "SELECT p.uid, p.position, list(t.tag) FILTER (t.tag IS NOT NULL) FROM journal_pos AS p "
    "LEFT JOIN tags AS t ON t.run_id = p.run_id GROUP BY p.uid, p.position"
)


def tags_of(runs_dir: Path, files: Iterable[JournalFile]) -> dict[str, set[str]]:
    """Return the current tags of each run.

    Args:
        runs_dir: The folder of the runs and the database.
        files: The journals of the runs.
    """
    known = _known(runs_dir)
    found: dict[str, set[str]] = {}
    for file in files:
        position, tags = known.get(file.uid, (0, frozenset[str]()))
        if position > file.size:  # not the journal that was ingested
            position, tags = 0, frozenset[str]()
        found[file.uid] = set(tags)
        if position < file.size:
            _follow(found[file.uid], file.path, position)
    return found


def _known(runs_dir: Path) -> Mapping[str, tuple[int, frozenset[str]]]:
    """Return how far the database has read each journal, and the run's tags up to there."""
    path = runs_dir / database.DATABASE_NAME
    lock = FileLock(runs_dir / database.LOCK_NAME)
    try:
        if not path.exists() or not lock.acquire(shared=True, wait=_WAIT_SECONDS):
            return {}
        with lock, errors.guarded(path):
            connection = database.connect(path, read_only=True)
            try:
                rows = connection.execute(_KNOWN).fetchall()
            finally:
                connection.close()
    except (errors.StoreError, OSError):
        return {}
    return {uid: (position, frozenset(tags or ())) for uid, position, tags in rows}


def _follow(tags: set[str], path: Path, position: int) -> None:
    """Update a run's tags from its journal, starting at byte `position`."""
    try:
        for record in records(path, Header, Tag, Untag, start=position):
            match record:
                case Tag(tag=tag):
                    tags.add(tag)
                case Untag(tag=tag):
                    tags.discard(tag)
                case Header():
                    tags.update(record.tags or ())
    except OSError:
        return  # removed in the meantime
