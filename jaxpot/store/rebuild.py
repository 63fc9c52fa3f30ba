"""Making the database again from the journals, which hold everything that it holds."""

from __future__ import annotations

from pathlib import Path

from jaxpot.store import database, errors
from jaxpot.store.ingest import IngestReport, burst, exclusive, opened
from jaxpot.store.runs import journals
from jaxpot.store.seal import seal


def rebuild(runs_dir: Path, *, wait: float = 10.0) -> IngestReport:
    """Write a new database from the journals and put it in the old one's place.

    The old one stays whole, and readable, until the new one is complete.

    Raises:
        StoreError: there is no run, another program holds the database, or there is no room.
    """
    path = runs_dir / database.DATABASE_NAME
    if not path.exists() and not any(True for _ in journals(runs_dir)):
        raise errors.StoreError(f"there is no run in {runs_dir}")
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
            while _sealed(draft, wait):
                pass
            database.wait_until_free(path, wait=wait)
            database.replace(draft, path)
        finally:
            database.remove(draft)
    return report


def _sealed(draft: Path, wait: float) -> int:
    with opened(draft, wait=wait) as connection:
        return seal(connection)
