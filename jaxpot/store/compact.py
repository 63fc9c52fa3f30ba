"""Giving back the room that a database's file has left over: rewritten rows leave holes in it."""

from __future__ import annotations

import shutil
from pathlib import Path

from jaxpot.store import copying, database
from jaxpot.store.ingest import exclusive

# Less is left for what is recorded next.
_FREE_SHARE = 0.15
_FREE_BYTES = 8 << 20


def compact(runs_dir: Path, *, wait: float) -> bool:
    """Rewrite the database where much of its file is free and the disk has room for that.

    Nobody waits meanwhile: it is made from a copy, which counts only if nothing was recorded since.

    Returns:
        Whether it was done.

    Raises:
        StoreError: the database cannot be read, or there is no room.
    """
    path = runs_dir / database.DATABASE_NAME
    copy, draft = path.with_name(f"{path.name}.copy"), path.with_name(f"{path.name}.compact")
    try:
        with exclusive(runs_dir, wait=wait):
            if not _is_worth_it(path):
                return False
            before = copying.fingerprint(path)
            copying.copy_to(path, copy)
        copying.rewrite(copy, draft)
        with exclusive(runs_dir, wait=wait):
            if copying.fingerprint(path) != before:
                return False
            database.wait_until_free(path, wait=0.0)  # others wait for the lock
            database.replace(draft, path)
            return True
    finally:
        database.remove(copy)
        database.remove(draft)


def _is_worth_it(path: Path) -> bool:
    connection = database.connect(path, read_only=True)
    try:
        ((block, total, free),) = connection.execute(
            "SELECT block_size, total_blocks, free_blocks FROM pragma_database_size()"
        ).fetchall()
    finally:
        connection.close()
    has_room = shutil.disk_usage(path.parent).free > 2 * path.stat().st_size  # copy and draft
    return has_room and free * block >= _FREE_BYTES and free >= _FREE_SHARE * total
