"""What a whole run costs over a hand-fused loop that does the same work; the goal is 1.05.

    python benchmarks/runner_over_floor.py [SPEC:SEGMENT ...] [--repeats N]

Three processes take turns of `SEGMENT` iterations: the floor (`floor_loop.py`), the runner's
iteration program alone, and the runner with everything on. See `segments.py`. Where the runner's
time over the floor goes is printed below each table.
"""

import json
import statistics
from pathlib import Path

from interleave import CPU_HEADER, Worker, each_spec, interleave, machine, print_table, ratio_rows

SPECS = ("specs/ttt.toml:100", "specs/connect_four.toml:4")
ARMS = ("floor", "program", "runner")
GOAL = 1.05


def measure(spec: str, *, segment: int, repeats: int, overrides: list[str]) -> None:
    """Measures one spec and prints its tables."""
    script = Path(__file__).with_name("segments.py")
    options = ["--segment", str(segment), *(f"-s{each}" for each in overrides)]
    workers = {arm: Worker(script, arm, spec, *options) for arm in ARMS}
    costs = interleave({arm: worker.turn for arm, worker in workers.items()}, repeats=repeats)
    reports = {arm: worker.close() for arm, worker in workers.items()}
    title = f"{spec}: {repeats} turns of {segment} iterations each, {machine()} (goal {GOAL})"
    cpu = {arm: worker.cpu for arm, worker in workers.items()}
    print_table(title, CPU_HEADER, ratio_rows(costs, "floor", cpu=cpu))
    report = json.loads(reports["runner"])
    base = statistics.median(costs["floor"])
    rows = [
        (what, f"{1e3 * seconds / report['iterations']:.3f} ms", _share(seconds, report, base))
        for what, seconds in report["time"].items()
        if what in ("record", "save", "wait")
    ]
    if "stepped" in report:
        extra = report["stepped"] - report["plain"]
        rows.append(("one stepped iteration", f"{1e3 * extra:.3f} ms more", ""))
    print_table("the runner's host, an iteration", ("part", "time", "of the floor"), rows)


def _share(seconds: float, report: dict, base: float) -> str:
    return f"{100 * seconds / report['iterations'] / base:.2f} %"


if __name__ == "__main__":
    each_spec(__doc__, SPECS, measure)
