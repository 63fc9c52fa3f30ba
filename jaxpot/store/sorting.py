"""The process that sorts the points of runs that are over, which nobody waits for.

    python -m jaxpot.store.sorting --runs-dir DIR

It holds the database for some tenths of a second at a time and then lets others have their turn.
There is one of it in a runs directory; a second one goes away. Killed at any point, it has moved
all of a part or nothing of it. At the end it gives the room that was left in the file back.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from jaxpot.store import database, errors
from jaxpot.store.compact import compact
from jaxpot.store.ingest import exclusive, opened
from jaxpot.store.launch import SORTING_LOCK_NAME
from jaxpot.store.locking import FileLock
from jaxpot.store.seal import seal

_NICENESS = 5  # lower still, it would keep the lock for long where every core is taken
_WAIT_SECONDS = 60.0
_HELD_SECONDS = 0.5  # others wait for the lock meanwhile; the next command starts this again
_PAUSE_SECONDS = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    """Sort until nothing is left; 1 where something stood in the way."""
    parser = argparse.ArgumentParser(prog="python -m jaxpot.store.sorting")
    parser.add_argument("--runs-dir", type=Path, required=True)
    options = parser.parse_args(arguments)
    os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with FileLock(options.runs_dir / SORTING_LOCK_NAME) as lock:
            if lock.acquire():
                sort_all(options.runs_dir)
                compact(options.runs_dir, wait=_WAIT_SECONDS)
    except (errors.StoreError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def sort_all(runs_dir: Path) -> int:
    """Move every point that is due, a part at a time; give how many there were.

    Raises:
        StoreError: the database cannot be opened, or somebody kept it.
    """
    path, moved = runs_dir / database.DATABASE_NAME, 0
    while True:
        began = time.monotonic()
        with (
            exclusive(runs_dir, wait=_WAIT_SECONDS),
            opened(path, wait=_HELD_SECONDS) as connection,
        ):
            points = seal(connection)
        if not points:
            return moved
        moved += points
        # Others poll the lock, and get as much of the time as this takes.
        time.sleep(max(_PAUSE_SECONDS, time.monotonic() - began))


if __name__ == "__main__":
    sys.exit(main())
