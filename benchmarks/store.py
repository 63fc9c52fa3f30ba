"""The store at a hundred million points: one run of 1e6 iterations and 1,000 runs beside it.

    python benchmarks/store.py                # 1e8 points: 4 GB of journals in the temporary folder
    python benchmarks/store.py --scale 0.01   # a hundredth of the iterations, as many runs

Journals are written by a generator, not by training: 60 keys an iteration, of which most are
float32 numbers as doubles, as JAX gives them, some whole numbers and some times. Commands are whole
processes. The ingest has one core.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from jaxpot.store import RunLock, Store

START = 1_795_000_000.0
REPEATS = 5
BLOCK = 5_000
FOLLOWED = 400
BIG = "20261123-000000-b16b00"

COUNTS = ("iter", "samples", "episodes", "updates", "league_size", "league_archive_size")
TIMES = (
    *("timings/collect", "timings/advantage", "timings/update", "timings/league", "timings/digest"),
    *("timings/transfer_metrics", "timings/evaluate", "timings/iteration"),
    *("iteration/sps", "update/sps"),
)
LEARNED = (
    *("total_loss", "policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction"),
    *("explained_variance", "grad_norm", "param_norm", "update_norm", "learning_rate"),
    *(f"rollout/{name}" for name in ("reward", "length", "draws", "first_wins", "second_wins")),
    *(f"advantage/{name}" for name in ("mean", "std", "min", "max")),
    *(f"value/{name}" for name in ("mean", "std", "min", "max", "bias")),
    *(f"policy/{name}" for name in ("max_probability", "legal_mass", "kl_to_uniform")),
    *(f"eval_vs_random/{name}" for name in ("win_rate", "draw_rate", "loss_rate", "length")),
    *(f"eval_vs_league/{name}" for name in ("win_rate", "draw_rate", "loss_rate", "score")),
    *(f"league/{name}" for name in ("hardest", "easiest", "mean_score", "entropy")),
    *(f"layer_{layer}/{name}" for layer in range(4) for name in ("grad_norm", "dead_units")),
)
KEYS = (*COUNTS, *TIMES, *LEARNED[: 60 - len(COUNTS) - len(TIMES)])


class Size(NamedTuple):
    """How much is generated."""

    runs: int
    iterations: int
    big_iterations: int

    @property
    def points(self) -> int:
        """How many values there are in all."""
        return len(KEYS) * (self.runs * self.iterations + self.big_iterations)


def size_of(scale: float, runs: int) -> Size:
    """Give the sizes: 6e7 points in one run and 4e7 in the others, times `scale`."""
    keys = len(KEYS)
    each = max(1, round(4e7 * scale / (1000 * keys)))
    return Size(runs, each, max(1, round(6e7 * scale / keys)))


def values(draw: np.random.Generator, first: int, count: int) -> np.ndarray:
    """Give the values of some iterations, [iteration, key]."""
    t = np.arange(first, first + count)[:, None]
    counted = t * np.array([1, 2048, 97, 32, 0, 0]) + np.array([0, 0, 0, 0, 20, 44])
    timed = np.abs(draw.normal(0.02, 0.004, (count, len(TIMES))))
    learned = len(KEYS) - len(COUNTS) - len(TIMES)
    level = np.linspace(0.05, 3.0, learned)
    curve = level * (0.2 + np.exp(-t / 3000.0)) + draw.normal(0.0, 0.05, (count, learned)) * level
    return np.concatenate([counted, timed, curve.astype(np.float32)], axis=1, dtype=np.float64)


def lines(uid: str, number: int, iterations: int) -> Iterator[bytes]:
    """Yield a run's journal in pieces of many lines."""
    head = {"kind": "header", "time": START + number, "journal_version": 1, "uid": uid}
    head |= {"name": f"bench-{number % 10}", "spec": {"seed": number}, "seed": number}
    attempt = {"kind": "attempt", "time": START, "attempt": 1, "start_iter": 0}
    declared = [
        {"name": key, "dtype": "int" if key in COUNTS else "float", "wall_clock": key in TIMES}
        for key in KEYS
    ]
    keys = {"kind": "keys", "time": START, "keys": declared}
    yield b"".join(orjson.dumps(record) + b"\n" for record in (head, attempt, keys))
    draw = np.random.default_rng(number)
    whole = len(COUNTS)
    for first in range(0, iterations, BLOCK):
        rows = values(draw, first, min(BLOCK, iterations - first))
        counted = rows[:, :whole].astype(np.int64).tolist()
        yield b"".join(
            orjson.dumps(
                {
                    "kind": "payload",
                    "time": START + 0.02 * (first + t),
                    "attempt": 1,
                    "iter": first + t,
                    "values": dict(zip(KEYS, counted[t] + row[whole:], strict=True)),
                    "digest": f"{(first + t) * 0x9E3779B97F4A7C15 & (1 << 64) - 1:016x}",
                }
            )
            + b"\n"
            for t, row in enumerate(rows.tolist())
        )
    end = {"kind": "end", "time": START + 0.02 * iterations, "attempt": 1, "status": "completed"}
    yield orjson.dumps({**end, "iterations": iterations}) + b"\n"


def generate(runs_dir: Path, size: Size) -> None:
    """Write the journals."""
    uids = [f"20261122-{number:06d}-bench0" for number in range(size.runs)]
    for number, uid in enumerate([*uids, BIG]):
        (runs_dir / uid).mkdir(parents=True)
        iterations = size.big_iterations if uid == BIG else size.iterations
        with (runs_dir / uid / "journal.jsonl").open("wb") as journal:
            journal.writelines(lines(uid, number, iterations))


def median(work: Callable[[], object]) -> float:
    """Give the median seconds of some work."""
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def questions(store: Store, size: Size) -> dict[str, float]:
    """Give the seconds that questions take in an open database."""
    uid, key = "20261122-000000-bench0", "total_loss"
    hundred = f"uid < '20261122-{min(100, size.runs):06d}'"
    series = "SELECT iter, value FROM metric WHERE uid = ? AND key = ? ORDER BY iter"
    asked = {
        "one series of a run": (series, uid, key),
        "one series of the big run": (series, BIG, key),
        "maximum of a key across 100 runs": (
            f"SELECT uid, max(value) FROM metric WHERE key = ? AND {hundred} GROUP BY uid",  # noqa: S608
            key,
        ),
        "the same, from best": (f"SELECT uid, max FROM best WHERE key = ? AND {hundred}", key),  # noqa: S608
        "maximum of a key across all runs": ("SELECT uid, max FROM best WHERE key = ?", key),
        "last values of the big run": ("FROM latest WHERE uid = ?", BIG),
        "summary of every key of every run": ("FROM summary",),
        "live points of all runs": ("SELECT count(*) FROM metric",),
    }
    with store.reading() as connection:
        return {
            name: median(
                lambda query=query, given=given: connection.execute(query, given).fetchnumpy()
            )
            for name, (query, *given) in asked.items()
        }


def commands(runs_dir: Path) -> dict[str, tuple[float, float]]:
    """Give the median seconds of whole processes, and of CPU time, run in turns."""
    jaxpot = [sys.executable, "-m", "jaxpot.cli.main", "--runs-dir", str(runs_dir)]
    table = {
        'python -c "import duckdb"': [sys.executable, "-c", "import duckdb"],
        "jaxpot ls": [*jaxpot, "ls"],
        "jaxpot show latest": [*jaxpot, "show", "latest"],
        "jaxpot show, a run": [*jaxpot, "show", "20261122-000000-bench0"],
        "jaxpot show, the big run": [*jaxpot, "show", BIG],
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in table}
    for _ in range(REPEATS):
        for name, command in table.items():
            before, began = _children_cpu(), time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append((time.perf_counter() - began, _children_cpu() - before))
    return {
        name: (statistics.median(wall for wall, _ in found), statistics.median(c for _, c in found))
        for name, found in seconds.items()
    }


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ingest_rate(runs_dir: Path, points: int) -> float:
    """Give the points a second of an ingest that has one core, in a separate process."""
    code = (
        "import os, sys, time; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from jaxpot.store import Store; store = Store(sys.argv[1]); began = time.perf_counter(); "
        "points = store.ingest().points; print(points, time.perf_counter() - began)"
    )
    command = [sys.executable, "-c", code, str(runs_dir)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found, seconds = done.stdout.split()
    assert int(found) == points, found
    return points / float(seconds)


class Followed(NamedTuple):
    """What it took to ingest a run while it was written."""

    points: int
    bytes: int
    median_seconds: float
    longest_seconds: float
    last_seconds: float


def follow(runs_dir: Path, iterations: int) -> Followed:
    """Ingest a run every `FOLLOWED` iterations, as the process beside a run does every 10 s."""
    folder = runs_dir / BIG
    folder.mkdir(parents=True)
    store, seconds = Store(runs_dir), []

    def ingest() -> None:
        began = time.perf_counter()
        store.ingest()
        seconds.append(time.perf_counter() - began)

    written = b"".join(lines(BIG, 0, iterations)).splitlines(keepends=True)
    with (folder / "journal.jsonl").open("wb", buffering=0) as journal:
        with RunLock(folder):
            for first in range(0, len(written), FOLLOWED):
                journal.write(b"".join(written[first : first + FOLLOWED]))
                if first + FOLLOWED < len(written):
                    ingest()
        ingest()
    size, points = store.path.stat().st_size, iterations * len(KEYS)
    return Followed(points, size, statistics.median(seconds), max(seconds), seconds[-1])


def bench(folder: Path, size: Size) -> None:
    """Run everything and print it."""
    runs_dir = folder / "runs"
    began = time.perf_counter()
    generate(runs_dir, size)
    written = sum(path.stat().st_size for path in runs_dir.glob("*/journal.jsonl"))
    print(f"{size.points:,} points: {size.runs:,} runs of {size.iterations:,} iterations")
    print(f"and one of {size.big_iterations:,}, {len(KEYS)} keys each iteration")
    print(
        f"  journals                {written / 1e6:10.1f} MB, {time.perf_counter() - began:.0f} s"
    )
    rate = ingest_rate(runs_dir, size.points)
    store = Store(runs_dir)
    stored = store.path.stat().st_size
    print(f"  ingest on one core      {rate / 1e6:10.2f} million points/s")
    print(f"  database                {stored / 1e6:10.1f} MB")
    print(f"  bytes a point           {stored / size.points:10.2f}")
    print("questions")
    for name, took in questions(store, size).items():
        print(f"  {name:36} {1e3 * took:8.1f} ms")
    print("commands, whole processes")
    for name, (took, cpu) in commands(runs_dir).items():
        print(f"  {name:36} {1e3 * took:8.0f} ms, {1e3 * cpu:.0f} ms of CPU time")
    found = follow(folder / "live", max(1, size.big_iterations // 10))
    print(f"a run of {found.points:,} points, ingested every {FOLLOWED} iterations")
    print(f"  bytes a point           {found.bytes / found.points:10.2f}")
    print(f"  an ingest, median       {1e3 * found.median_seconds:10.0f} ms")
    print(f"  an ingest, longest      {1e3 * found.longest_seconds:10.0f} ms")
    print(f"  the last ingest         {1e3 * found.last_seconds:10.0f} ms")


def main() -> None:
    """Generate, measure, print, and remove what was generated."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jaxpot-bench-") as folder:
        bench(Path(folder), size_of(options.scale, options.runs))


if __name__ == "__main__":
    main()
