"""The process that ingests a run's journal into the database while the run is going on.

    python -m jaxpot.store.child --runs-dir DIR

It ingests every few seconds at the lowest priority, and a last time when its stdin closes, which
also happens when the run is killed. At its end it prints what its last ingest could not do.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxpot.signals import leave_to_parent
from jaxpot.store.errors import StoreError
from jaxpot.store.ingest import ingest
from jaxpot.store.launch import INTERVAL_SECONDS
from jaxpot.store.runs import is_running, journals

_WAIT_SECONDS = 1.0  # the user waits for this when the run ends
_NICENESS = 19


def main(arguments: Sequence[str] | None = None) -> int:
    """Ingest until stdin closes; return 1 if the last ingest is incomplete."""
    parser = argparse.ArgumentParser(prog="python -m jaxpot.store.child")
    parser.add_argument("--runs-dir", type=Path, required=True)
    parser.add_argument("--interval", type=float, default=INTERVAL_SECONDS)
    options = parser.parse_args(arguments)
    os.nice(_NICENESS)
    leave_to_parent()
    seen: object = None
    while not _stdin_closed(options.interval):
        now = _look(options.runs_dir)
        if now != seen and _ingest(options.runs_dir) is None:
            seen = now
    problem = _ingest(options.runs_dir)
    if problem is not None:
        sys.stdout.write(problem + "\n")
        return 1
    return 0


def _look(runs_dir: Path) -> dict[str, tuple[int, bool]]:
    return {file.uid: (file.size, is_running(file.path.parent)) for file in journals(runs_dir)}


def _ingest(runs_dir: Path) -> str | None:
    try:
        report = ingest(runs_dir, wait=_WAIT_SECONDS)
    except StoreError as error:
        return str(error)
    return report.problem


def _stdin_closed(seconds: float) -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(readable) and not os.read(sys.stdin.fileno(), 4096)


if __name__ == "__main__":
    sys.exit(main())
