"""The store at size: ingest rate, the questions people ask, and what a reading command costs.

    python benchmarks/store.py                     # 10 million points of 100 runs
    python benchmarks/store.py --points 1e6 --runs 10

Journals are made by a generator, line by line, so memory stays flat however many points there
are; they take about 45 bytes a point on the disk. Times of commands are medians of interleaved
runs, as ratios to the cheapest thing that has to happen: importing DuckDB.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from jaxpot.store import Store

START = 1_795_000_000.0
REPEATS = 5


def lines(uid: str, number: int, iterations: int, keys: int) -> Iterator[str]:
    """Yield a run's journal, a line at a time."""
    head = {"kind": "header", "time": START + number, "journal_version": 1, "uid": uid}
    head |= {"name": f"bench-{number % 10}", "spec": {"seed": number}, "seed": number}
    yield json.dumps(head)
    attempt = {"kind": "attempt", "time": START, "attempt": 1, "start_iter": 0}
    yield json.dumps(attempt)
    # A pool of texts of doubles of full length: writing each one anew would take minutes.
    draw = random.Random(number)
    pool = [repr(draw.gauss(0.0, 1.0)) for _ in range(997)]
    names = [f'"group_{key % 7}/key_{key}":' for key in range(keys)]
    for t in range(iterations):
        values = ",".join(name + pool[(t * 31 + k * 7) % 997] for k, name in enumerate(names))
        yield (
            f'{{"kind":"payload","time":{START + t},"attempt":1,"iter":{t},'
            f'"values":{{{values}}},"digest":"{t:016x}"}}'
        )
    yield json.dumps({"kind": "end", "time": START, "attempt": 1, "status": "completed"})


def generate(runs_dir: Path, *, points: int, runs: int, keys: int) -> int:
    """Write the journals; give how many points they hold."""
    iterations = max(1, points // (runs * keys))
    for number in range(runs):
        uid = f"20261122-{number:06d}-bench0"
        (runs_dir / uid).mkdir(parents=True)
        with (runs_dir / uid / "journal.jsonl").open("w") as journal:
            for line in lines(uid, number, iterations, keys):
                journal.write(line + "\n")
    return iterations * runs * keys


def median(work: Callable[[], object]) -> float:
    """Give the median seconds of some work."""
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def questions(store: Store) -> dict[str, float]:
    """Give the seconds that questions take in an open database."""
    uid, key = "20261122-000007-bench0", "group_3/key_3"
    asked = {
        "last value of one key": ("SELECT value FROM latest WHERE uid = ? AND key = ?", uid, key),
        "last value of every key of one run": ("FROM latest WHERE uid = ?", uid),
        "one series": (
            "SELECT iter, value FROM metric WHERE uid = ? AND key = ? ORDER BY iter",
            uid,
            key,
        ),
        "maximum of one key across all runs": (
            "SELECT uid, max(value) FROM metric WHERE key = ? AND isfinite(value) GROUP BY uid",
            key,
        ),
        "the same, and where it was": ("SELECT uid, max, max_iter FROM best WHERE key = ?", key),
        "live points of all runs": ("SELECT count(*) FROM metric",),
    }
    with store.reading() as connection:
        return {
            name: median(
                lambda query=query, given=given: connection.execute(query, given).fetchall()
            )
            for name, (query, *given) in asked.items()
        }


def commands(runs_dir: Path) -> dict[str, float]:
    """Give the median seconds of commands, run in turns so that all see the same machine."""
    jaxpot = [sys.executable, "-m", "jaxpot.cli.main", "--runs-dir", str(runs_dir)]
    table = {
        'python -c "import duckdb"': [sys.executable, "-c", "import duckdb"],
        "jaxpot ls": [*jaxpot, "ls"],
        "jaxpot ls --json": [*jaxpot, "ls", "--json"],
        "jaxpot show latest": [*jaxpot, "show", "latest"],
        "jaxpot sql": [*jaxpot, "sql", "SELECT count(*) FROM runs", "--csv"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in table}
    for _ in range(REPEATS * 2 + 1):
        for name, command in table.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(found) for name, found in seconds.items()}


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=lambda text: int(float(text)), default=10_000_000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--keys", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jaxpot-bench-") as folder:
        runs_dir = Path(folder) / "runs"
        points = generate(runs_dir, points=options.points, runs=options.runs, keys=options.keys)
        size = sum(path.stat().st_size for path in runs_dir.glob("*/journal.jsonl"))
        store = Store(runs_dir)
        began = time.perf_counter()
        report = store.ingest()
        seconds = time.perf_counter() - began
        assert report.points == points, report
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{points:,} points of {options.runs} runs, {options.keys} keys an iteration")
        print(f"  journals             {size / 1e6:10.1f} MB")
        print(f"  database             {store.path.stat().st_size / 1e6:10.1f} MB")
        print(f"  ingest               {seconds:10.2f} s")
        print(f"  ingest rate          {points / seconds / 1e6:10.2f} million points/s")
        print(f"  peak memory          {peak:10.1f} MB")
        print("questions")
        for name, took in questions(store).items():
            print(f"  {name:36} {1e3 * took:8.1f} ms")
        print("commands" + " " * 33 + "ratio")
        found = commands(runs_dir)
        floor = next(iter(found.values()))
        for name, took in found.items():
            print(f"  {name:28} {1e3 * took:6.0f} ms {took / floor:5.2f}")


if __name__ == "__main__":
    main()
