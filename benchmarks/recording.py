"""What recording costs: a run with everything recorded over one with nothing; the goal is 1.01.

    python benchmarks/recording.py [SPEC:SEGMENT ...] [--repeats N]

Two processes take turns of `SEGMENT` iterations. One records as every run does: each iteration's
payload unpacked, checked, encoded and appended to the journal, and the child that ingests it. The
other fetches the same arrays and drops them; it has no journal and no child. Both save checkpoints
and profile at the spec's cadence. See `segments.py`.
"""

from pathlib import Path

from interleave import CPU_HEADER, Worker, each_spec, interleave, machine, print_table, ratio_rows

SPECS = ("specs/ttt.toml:100", "specs/connect_four.toml:4")
GOAL = 1.01


def measure(spec: str, *, segment: int, repeats: int, overrides: list[str]) -> None:
    """Measures one spec and prints its table."""
    script = Path(__file__).with_name("segments.py")
    options = ["--segment", str(segment), *(f"-s{each}" for each in overrides)]
    workers = {
        name: Worker(script, loop, spec, *options)
        for name, loop in (("off", "silent"), ("on", "runner"))
    }
    costs = interleave({name: each.turn for name, each in workers.items()}, repeats=repeats)
    for worker in workers.values():
        worker.close()
    cpu = {name: worker.cpu for name, worker in workers.items()}
    title = f"{spec}: {repeats} turns of {segment} iterations each, {machine()} (goal {GOAL})"
    print_table(title, CPU_HEADER, ratio_rows(costs, "off", cpu=cpu))


if __name__ == "__main__":
    each_spec(__doc__, SPECS, measure)
