"""Which tags runs have, also where the database is behind its journals, or cannot be asked.

The database is an index of what it has taken in; what a journal says beyond that is read from the
journal itself. Where the database fails, every journal is read whole, which takes longer and gives
the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jaxpot.journal import Header, Tag, Untag, records
from jaxpot.store import database, errors
from jaxpot.store.locking import FileLock

if TYPE_CHECKING:
    from jaxpot.store.runs import JournalFile

_WAIT_SECONDS = 3.0  # less than reading every journal takes
_KNOWN = (
    "SELECT p.uid, p.position, list(t.tag) FILTER (t.tag IS NOT NULL) FROM journal_pos AS p "
    "LEFT JOIN tags AS t ON t.run_id = p.run_id GROUP BY p.uid, p.position"
)


def tags_of(runs_dir: Path, files: Iterable[JournalFile]) -> dict[str, set[str]]:
    """Give each run's tags as its journal has them by now.

    Args:
        runs_dir: The folder of the runs, and of the database.
        files: The journals to know about.
    """
    known = _known(runs_dir)
    found: dict[str, set[str]] = {}
    for file in files:
        position, tags = known.get(file.uid, (0, frozenset[str]()))
        if position > file.size:  # another journal than the one that was taken in
            position, tags = 0, frozenset[str]()
        found[file.uid] = set(tags)
        if position < file.size:
            _follow(found[file.uid], file.path, position)
    return found


def _known(runs_dir: Path) -> Mapping[str, tuple[int, frozenset[str]]]:
    """Give what the database has of each run: how far it has read, and the tags up to there."""
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
    """Bring a run's tags up to its journal, from the line that begins at `position`."""
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
        return  # removed meanwhile
