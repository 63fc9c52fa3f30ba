"""Making the database again from the journals, which hold everything that it holds."""

from __future__ import annotations

import time
from pathlib import Path

from jaxpot.store import database
from jaxpot.store.ingest import IngestReport, burst, exclusive, opened
from jaxpot.store.runs import journals


def rebuild(runs_dir: Path, *, wait: float = 10.0) -> IngestReport:
    """Write a new database from the journals and put it in the old one's place.

    The old one stays whole, and readable, until the new one is complete.

    Raises:
        StoreError: there is no run, another program holds the database, or there is no room.
    """
    path = runs_dir / database.DATABASE_NAME
    if not path.exists() and not any(True for _ in journals(runs_dir)):
        raise database.StoreError(f"there is no run in {runs_dir}")
    report = IngestReport()
    draft = path.with_name(f"{path.name}.rebuild")
    with exclusive(runs_dir, wait=wait):
        try:
            database.remove(draft)
            database.create(draft)
            done = False
            while not done:
                with opened(draft, wait=wait) as connection:
                    done = burst(connection, runs_dir, report)
            _refuse_held(path, wait)
            database.replace(draft, path)
        finally:
            database.remove(draft)
    return report


def _refuse_held(path: Path, wait: float) -> None:
    """Make sure that no other program has the old file open: it would write into the new one's log.

    Raises:
        DatabaseHeldError: one has, after `wait` seconds still.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            if path.exists():
                database.connect(path, read_only=False).close()
        except database.DatabaseHeldError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.1)
        except database.StoreError:
            return  # damaged, or of another version: why it is made again
        else:
            return
