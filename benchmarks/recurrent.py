"""What a memory costs: recurrent networks over a feed-forward one with as many parameters.

    python benchmarks/recurrent.py [--repeats N]

Tic-tac-toe by PPO, on `specs/ttt.toml`'s settings but for self-play alone and whole sequences in a
minibatch: a multilayer perceptron of two layers, and an LSTM and a GRU with one layer before the
cell, as wide as it takes to have the same number of parameters. They take turns in one process: a
whole iteration, the collecting alone and the training alone.
"""

import argparse
import bisect
from pathlib import Path
from typing import Literal

import attrs
from interleave import CPU_HEADER, interleave, machine, print_table, ratio_rows
from segments import experiment_of

from jaxpot.loop.environment import prepare
from jaxpot.spec import MLP, Experiment, Memory

SPEC = Path("specs/ttt.toml")
NUM_STEPS = 9
OVERRIDES = [
    'collect.random="none"',
    "collect.selfplay.num_envs=512",
    f"algorithm.batch_size={256 * NUM_STEPS}",
]
BASE = "mlp"


def remembering(cell: Literal["lstm", "gru"], width: int) -> MLP:
    """Return a perceptron of one layer and a cell as wide."""
    return MLP(hidden_dims=(width,), memory=Memory(kind=cell, hidden_size=width))


MODELS = {
    BASE: lambda width: MLP(hidden_dims=(width, width)),
    "lstm": lambda width: remembering("lstm", width),
    "gru": lambda width: remembering("gru", width),
}
WIDEST = 512


def count(experiment: Experiment) -> int:
    """Counts an experiment's parameters."""
    from jaxpot.loop.context import build_context
    from jaxpot.models.base import count_parameters

    return count_parameters(build_context(experiment, Path("runs")).network)


def of_size(experiment: Experiment, kind: str, parameters: int) -> Experiment:
    """Returns the experiment with a network whose number of parameters is the nearest."""

    def made(width: int) -> Experiment:
        return attrs.evolve(experiment, model=MODELS[kind](width))

    widths = range(1, WIDEST)
    above = bisect.bisect_left(widths, parameters, key=lambda width: count(made(width)))
    near = [made(width) for width in widths[max(above - 1, 0) : above + 1]]
    return min(near, key=lambda each: abs(count(each) - parameters))


def main() -> None:
    """Measures the three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--parameters", type=int, default=35_000)
    options = parser.parse_args()
    experiment = experiment_of(SPEC, OVERRIDES, 1)
    prepare(experiment.runtime)
    from phase_turns import PhaseTurns, Timed

    each = {kind: of_size(experiment, kind, options.parameters) for kind in MODELS}
    sizes = [(kind, repr(one.model), str(count(one))) for kind, one in each.items()]
    print_table("models", ("arm", "model", "parameters"), sizes)
    turns = {kind: PhaseTurns(one) for kind, one in each.items()}
    for one in turns.values():
        one.iterate(3)
    phases = {kind: one.phases() for kind, one in turns.items()}
    measured = {
        "an iteration": {kind: Timed(one.iterate, calls=5) for kind, one in turns.items()},
        "collecting": {k: Timed(p["collect_selfplay"], calls=5) for k, p in phases.items()},
        "training": {kind: Timed(p["training"], calls=5) for kind, p in phases.items()},
    }
    for what, arms in measured.items():
        costs = interleave(arms, repeats=options.repeats)
        rows = ratio_rows(costs, BASE, cpu={kind: arm.cpu for kind, arm in arms.items()})
        print_table(f"{what}: {options.repeats} turns, {machine()}", CPU_HEADER, rows)


if __name__ == "__main__":
    main()
