"""The fault campaign: `python -m tests.faults [--trials N] [--seed S] [NAME ...]`.

Prints what was tried and how often, as the table of docs/reliability.md, then every failure; the
exit status is 1 if there was one.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults import contention, damage, disks, hostile, kills, stops
from tests.faults.tally import Tally

Part = Callable[[Path, argparse.Namespace], Tally]

PARTS: dict[str, Part] = {
    "kills": lambda folder, given: kills.trials(
        given.trials, given.seed, folder, jobs=given.jobs, first=given.first
    ),
    "stops": lambda folder, _: stops.all_stops(folder),
    "disks": lambda folder, _: disks.all_disks(folder),
    "checkpoints": lambda folder, given: damage.checkpoints(folder, given.seed),
    "store": lambda folder, given: damage.journals_and_database(folder, given.seed),
    "contention": lambda folder, given: contention.contention(
        folder, runs=8, readers=2, seconds=given.seconds, real=True
    ),
    "links": lambda folder, _: hostile.links(folder),
    "memory": lambda folder, _: hostile.memory(folder),
    "queries": lambda folder, _: hostile.queries(folder),
    "fuzz": lambda folder, given: hostile.fuzz(folder, given.cases, given.seed),
}


def main() -> int:
    """Runs the parts that are named, or all."""
    given = arguments()
    failures: list[str] = []
    print_line("| part | what | tried | failed |\n|---|---|---|---|")
    if given.folder is not None:
        Path(given.folder).mkdir(parents=True, exist_ok=True)
    for name in given.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix=f"faults-{name}-", dir=given.folder) as folder:
            started = time.monotonic()
            tally = PARTS[name](Path(folder), given)
        for kind, tried in tally.cases.items():
            failed = sum(failure.startswith(kind) for failure in tally.failures)
            print_line(f"| {name} | {kind} | {tried} | {failed} |")
        for kind, why in tally.untried.items():
            print_line(f"| {name} | {kind} | not tried: {why} | |")
        sys.stderr.write(f"{name}: {tally.total} in {time.monotonic() - started:.0f} s\n")
        failures += [f"{name}: {failure}" for failure in tally.failures]
    for failure in failures:
        print_line(f"\n{failure}")
    return 1 if failures else 0


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="NAME", help=", ".join(PARTS))
    parser.add_argument("--trials", type=int, default=100, help="runs to kill")
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--cases", type=int, default=2000, help="drawn inputs of each kind")
    parser.add_argument("--seconds", type=float, default=30.0, help="to hold the database")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="trials at once")
    parser.add_argument("--folder", help="where to work, on the disk that is to be tried")
    given = parser.parse_args()
    unknown = [name for name in given.parts if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    # Set before anything imports jax: the parts in this process are to be as those in others.
    os.environ["NPROC"] = "1"
    return given


def print_line(text: str) -> None:
    """Prints at once, so that a campaign can be watched."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
