"""Start the process that sorts the points of runs that are over."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jaxpot.store.locking import is_locked

SORTING_LOCK_NAME = "jaxpot.sorting.lock"

# Fewer points are read as fast as they are, and not worth a process.
_SORTED_FROM = 250_000


def start_sorting(runs_dir: Path, unsorted: int) -> bool:
    """Start the process that sorts points, without waiting for it.

    Args:
        runs_dir: The folder of the runs.
        unsorted: How many points there are to sort.

    Returns:
        Whether it was started: there are many, and no such process is at work.
    """
    if unsorted < _SORTED_FROM or not os.access(runs_dir, os.W_OK):
        return False
    if is_locked(runs_dir / SORTING_LOCK_NAME):
        return False
    import subprocess  # with what it imports, a tenth of a reading command's time

    command = [sys.executable, "-P", "-m", "jaxpot.store.sorting", "--runs-dir", str(runs_dir)]
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
    )
    process.returncode = 0  # it outlives this process, which need not warn of that
    return True
