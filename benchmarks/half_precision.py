"""What bfloat16 saves on a GPU, over float32; without a GPU it says that it was skipped.

    python benchmarks/half_precision.py [SPEC ...] [--repeats N] [--anywhere]

The spec's iteration as it is and with `model.dtype = "bfloat16"` take turns in one process. A CPU
has no fast bfloat16 products as XLA calls them: `--anywhere` measures there all the same.
"""

import argparse
from pathlib import Path

import attrs
from interleave import CPU_HEADER, interleave, machine, print_table, ratio_rows
from segments import experiment_of

from jaxpot.loop.environment import prepare

SPECS = ("specs/connect_four.toml",)
BASE = "float32"
DTYPES = (BASE, "bfloat16")


def measure(spec: str, *, overrides: list[str], repeats: int) -> None:
    """Measures one spec and prints its table."""
    from phase_turns import PhaseTurns, Timed

    experiment = experiment_of(Path(spec), overrides, 1)
    arms: dict[str, Timed] = {}
    for dtype in DTYPES:
        model = attrs.evolve(experiment.model, dtype=dtype)
        turns = PhaseTurns(attrs.evolve(experiment, model=model))
        turns.iterate(3)
        arms[dtype] = Timed(turns.iterate, calls=3)
    costs = interleave(arms, repeats=repeats)
    rows = ratio_rows(costs, BASE, cpu={dtype: arm.cpu for dtype, arm in arms.items()})
    print_table(f"{spec}: an iteration, {repeats} turns, {machine()}", CPU_HEADER, rows)


def main() -> None:
    """Measures every spec that is asked for, where there is a GPU."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("specs", nargs="*", default=SPECS)
    parser.add_argument("-s", dest="overrides", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--anywhere", action="store_true", help="without a GPU as well")
    options = parser.parse_args()
    prepare(experiment_of(Path(options.specs[0]), options.overrides, 1).runtime)
    import jax

    if jax.default_backend() != "gpu" and not options.anywhere:
        print(f"skipped: bfloat16 is measured on a GPU, and this is a {jax.default_backend()}")
        return
    for spec in options.specs:
        measure(spec, overrides=options.overrides, repeats=options.repeats)


if __name__ == "__main__":
    main()
