"""What a league costs: one on over none, on equal numbers of environments; the goal is 1.3.

    python benchmarks/league.py [--segment N] [--repeats N]

Two processes take turns of `SEGMENT` iterations of `specs/ttt.toml` after its warm-up: one with
all environments in self-play, one with half of them against a full league that takes a copy every
20 iterations. A row of self-play is trained on for both seats, one against the league for one, so
the league has more to play and less to train. Then a run of 60 iterations with a copy every 5, an
archive whose entries are recalled and a target, from an empty compilation cache: how often each
program was compiled, and where the time went.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from interleave import CPU_HEADER, Worker, interleave, machine, print_table, ratio_rows

SPEC = "specs/ttt.toml"
GOAL = 1.3
WITHOUT = ('collect.random="none"', "collect.selfplay.num_envs=1024")
WITH = (
    'collect.random="none"',
    "collect.selfplay.num_envs=512",
    "collect.league.num_envs=512",
    "league.size=8",
    "league.add_every=20",
    "league.archive_size=8",
)
GROWING = (
    *WITH,
    "league.add_every=5",
    "league.size=4",
    "league.forgotten_margin=2",  # everyone in the archive is recalled
    "collect.archive.num_envs=128",
    'collect.selfplay.opponent="target"',
    "target.tau=0.05",
    'eval.archive={kind="archive", every=10, num_games=64}',
    "expect=[]",
    "runtime.profile_every=0",
)


def measure(*, segment: int, repeats: int) -> None:
    """Measures an iteration's time with a league and without, and prints both."""
    script = Path(__file__).with_name("segments.py")
    workers = {
        name: Worker(
            script, "runner", SPEC, "--segment", str(segment), *(f"-s{each}" for each in overrides)
        )
        for name, overrides in (("off", WITHOUT), ("on", WITH))
    }
    costs = interleave({name: each.turn for name, each in workers.items()}, repeats=repeats)
    reports = {name: json.loads(worker.close()) for name, worker in workers.items()}
    cpu = {name: worker.cpu for name, worker in workers.items()}
    title = f"{SPEC}: {repeats} turns of {segment} iterations each, {machine()} (goal {GOAL})"
    print_table(title, CPU_HEADER, ratio_rows(costs, "off", cpu=cpu))
    parts = ("collect", "update", "league", "record", "save")
    rows = [
        (part, *(f"{1e3 * r['time'][part] / r['iterations']:.3f} ms" for r in reports.values()))
        for part in parts
    ]
    print_table("an iteration, by what it went on", ("part", *reports), rows)


def from_cold() -> None:
    """Runs 60 iterations from an empty cache, a copy every 5, and prints what was compiled."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": f"{folder}/cache"}
        command = [sys.executable, "-m", "jaxpot", "run", SPEC, "--runs-dir", f"{folder}/runs"]
        command += ["--iterations", "60", "--quiet", "--json"]
        command += [f"-s{each}" for each in GROWING]
        started = time.perf_counter()
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        result = json.loads(done.stdout.splitlines()[-1])
        journal = Path(folder, "runs", result["run"], "journal.jsonl")
        events = [json.loads(line) for line in journal.read_text().splitlines()]
    compiled = Counter(e["payload"]["program"] for e in events if e.get("name") == "compile")
    happened = Counter(e.get("name") for e in events)
    adds, recalls = happened["league_add"], happened["league_recall"]
    spent = result["time"]
    rows = [
        ("whole process", f"{seconds:.1f} s"),
        ("compiling", f"{spent['compile']:.1f} s, {len(compiled)} programs"),
        ("programs compiled more than once", str(sum(n > 1 for n in compiled.values()))),
        ("iterations", f"{spent['collect'] + spent['update'] + spent['iterate']:.2f} s"),
        (
            f"{adds} adds, {recalls} recalls, checks of the entries",
            f"{1e3 * spent['league']:.1f} ms",
        ),
    ]
    print_table(f"60 iterations from a cold start, {machine()}", ("what", "how much"), rows)


def main() -> None:
    """Measures both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segment", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    measure(segment=options.segment, repeats=options.repeats)
    from_cold()


if __name__ == "__main__":
    main()
