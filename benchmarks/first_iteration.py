"""How long a first iteration takes, from the start of the process; warm, the goal is 2.5.

    python benchmarks/first_iteration.py [SPEC ...] [--repeats N] [--cold-repeats N]

Times are ratios to `python -c "import jax, pgx"`, each turn in a fresh process. The runner ends at
its first payload, the floor (`floor_loop.py`) when its first iteration is done. Cold, the
compilation cache is empty at the start; warm, it holds what an earlier process left. `jaxpot run`
is the whole command with `--iterations 1`: the display, a checkpoint and the ingest included.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from interleave import CPU_HEADER, Arm, Command, interleave, machine, print_table, ratio_rows

SPECS = ("specs/ttt.toml", "specs/connect_four.toml")
BASE = "import jax, pgx"
GOAL = 2.5


def first_of_runner(spec: Path, runs_dir: Path) -> None:
    """Runs until the first payload is there and ends the process."""
    from jaxpot.loop import run as runner
    from jaxpot.loop.observer import Observer
    from jaxpot.spec import load

    class EndAtOnce(Observer):
        def payload(self, payload: Mapping[str, float | int]) -> None:
            """Ends the process; the ingest child ends by itself."""
            os._exit(0)

    runner.run(load(spec), runs_dir=runs_dir, observer=EndAtOnce())


def first_of_floor(spec: Path) -> None:
    """Runs the floor's first iteration and ends the process."""
    from jaxpot.loop.environment import prepare
    from jaxpot.spec import load

    experiment = load(spec).experiment
    prepare(experiment.runtime)
    from floor_loop import Floor

    Floor(experiment).run(1)
    os._exit(0)


def measure(spec: Path, folder: Path, *, repeats: int, cold_repeats: int) -> None:
    """Measures one spec and prints its tables."""
    here, cache = str(Path(__file__).resolve()), folder / "cache"
    runs_dir = str(folder / "runs")
    entry = ("-c", "from jaxpot.cli.main import main; main()")
    lines = {
        "floor": (here, "--child", "floor", str(spec), runs_dir),
        "runner": (here, "--child", "runner", str(spec), runs_dir),
        "jaxpot run": (*entry, "--runs-dir", runs_dir, "run", str(spec), "--iterations", "1"),
    }
    environ = {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }

    lines = {BASE: ("-c", BASE), **lines}
    for state, count in (("cold", cold_repeats), ("warm", repeats)):
        if count == 0:
            continue
        commands = {name: Command(*line, environ=environ) for name, line in lines.items()}
        arms: dict[str, Arm] = dict(commands)
        if state == "warm":
            for each in commands.values():
                each()
                each.cpu.clear()
        else:
            arms |= {name: _without(cache, each) for name, each in commands.items()}
        costs = interleave(arms, repeats=count)
        title = f"{spec}: first iteration, {state} cache, {count} turns, {machine()}"
        goal = f" (goal {GOAL})" if state == "warm" else ""
        cpu = {name: each.cpu for name, each in commands.items()}
        print_table(title + goal, CPU_HEADER, ratio_rows(costs, BASE, unit="s", cpu=cpu))


def _without(cache: Path, run: Command) -> Arm:
    """Returns a turn of `run` that finds no cache."""

    def turn() -> float:
        shutil.rmtree(cache, ignore_errors=True)
        return run()

    return turn


def main() -> None:
    """Measures every spec that is asked for; `--child` is one turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("specs", nargs="*", type=Path, default=[Path(spec) for spec in SPECS])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--cold-repeats", type=int, default=3)
    parser.add_argument(
        "--child", nargs=3, metavar=("LOOP", "SPEC", "RUNS"), help="one turn, in this process"
    )
    options = parser.parse_args()
    if options.child:
        loop, spec, runs_dir = options.child
        if loop == "floor":
            first_of_floor(Path(spec))
        first_of_runner(Path(spec), Path(runs_dir))
        sys.exit("the runner ended without a payload")
    for spec in options.specs:
        with tempfile.TemporaryDirectory(prefix="jaxpot-bench-") as folder:
            measure(spec, Path(folder), repeats=options.repeats, cold_repeats=options.cold_repeats)


if __name__ == "__main__":
    main()
