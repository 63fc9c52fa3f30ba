"""AlphaZero over a hand-fused loop on mctx and pgx that does the same work; the goal is 1.05.

    python benchmarks/alphazero.py [SPEC:SEGMENT ...] [--repeats N]

First as `runner_over_floor.py` has it: the floor (`search_floor.py`), the runner's iteration
program alone and the runner with everything on take turns of `SEGMENT` iterations. Then, in one
process, self-play and the updates apart: positions a second, updates a second, and how often each
side compiled what it ran. A position is one that is played, not one that is only searched.
"""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interleave import CPU_HEADER, each_spec, interleave, machine, print_table, ratio_rows
from runner_over_floor import measure as measure_whole
from segments import experiment_of, warm_up

from jaxpot.loop.environment import prepare
from jaxpot.spec import Experiment

# The floor has no other collector.
SELF_PLAY = ('collect.random="none"', 'collect.start="fresh"')
SPECS = ("specs/ttt_alphazero.toml:20", "specs/connect_four_alphazero.toml:4")


def measure(spec: str, *, segment: int, repeats: int, overrides: list[str]) -> None:
    """Measures one spec and prints its tables."""
    overrides = [*SELF_PLAY, *overrides]
    measure_whole(spec, segment=segment, repeats=repeats, overrides=overrides)
    experiment = experiment_of(Path(spec), overrides, segment)
    prepare(experiment.runtime)
    measure_parts(spec, experiment, repeats=repeats)


def measure_parts(spec: str, experiment: Experiment, *, repeats: int) -> None:
    """Measures self-play and the updates of both sides apart."""
    import jax
    from phase_turns import PhaseTurns, Timed
    from search_floor import SearchFloor

    turns, floor = PhaseTurns(experiment), SearchFloor(experiment)
    turns.iterate(warm_up(experiment, 1))
    floor.run(warm_up(experiment, 1))
    ours = turns.phases()
    collect, learn = jax.jit(floor.collect), jax.jit(floor.learn)
    state, keys = floor.state, floor.keys()
    pairs: dict[str, dict[str, Callable[[], Any]]] = {
        "self-play": {
            "floor": lambda: collect(state.params, state.statistics, keys.play, keys.search),
            "jaxpot": ours["collect_selfplay"],
        },
        "updates": {
            "floor": lambda: learn(
                state.params, state.statistics, state.opt, state.kept, keys.shuffle, state.t
            ),
            "jaxpot": ours["training"],
        },
    }
    positions, updates = counts(experiment)
    each = {"self-play": (positions, "positions/s"), "updates": (updates, "updates/s")}
    for what, (count, unit) in each.items():
        arms = {name: Timed(function) for name, function in pairs[what].items()}
        for arm in arms.values():
            arm()  # compiles
        costs = interleave(arms, repeats=repeats)
        rows = ratio_rows(costs, "floor", cpu={name: arm.cpu[1:] for name, arm in arms.items()})
        rates = [f"{count / statistics.median(costs[row[0]]):.0f}" for row in rows]
        print_table(
            f"{spec}: {what}, {count} at a time, {machine()}",
            (*CPU_HEADER, unit),
            [(*row, rate) for row, rate in zip(rows, rates, strict=True)],
        )
    compiled = [("floor", "iteration", str(floor.compiles))]
    compiled += [("floor", "self-play", str(collect._cache_size()))]
    compiled += [("floor", "updates", str(learn._cache_size()))]
    compiled += [("jaxpot", name, str(count)) for name, count in turns.compiled.items()]
    print_table("compiles", ("arm", "program", "times"), compiled)


def counts(experiment: Experiment) -> tuple[int, int]:
    """Counts an iteration's positions, and its updates once the replay is full."""
    algorithm: Any = experiment.algorithm
    lanes: Any = experiment.collect.selfplay
    positions = lanes.num_envs * experiment.collect.num_steps
    rows = positions * algorithm.replay_iterations
    return positions, algorithm.num_epochs * -(-rows // algorithm.batch_size)


if __name__ == "__main__":
    each_spec(__doc__, SPECS, measure)
