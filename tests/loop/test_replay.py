"""The rows that are kept of the last iterations: which, for how long, and in what room."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.graph import compile_graph
from jaxpot.loop.batch import init_replay, kept_rows, replay
from jaxpot.loop.context import build_context
from jaxpot.testing.tiny import tiny_experiment

KEPT, STEPS, SELFPLAY, RANDOM = 3, 5, 4, 2
ROOM = STEPS * (SELFPLAY + RANDOM)


@pytest.fixture(scope="module")
def experiment():
    absent = dict.fromkeys(("num_epochs", "batch_size"))
    search = {"kind": "alphazero", "num_simulations": 2, "batch_size": 8}
    collect = {"selfplay": {"num_envs": SELFPLAY}, "random": {"num_envs": RANDOM, "until": 2}}
    return tiny_experiment(
        overrides={
            "algorithm": absent | search | {"replay_iterations": KEPT},
            "collect": {"num_steps": STEPS, **collect},
            "eval": None,
        }
    )


@pytest.fixture(scope="module")
def context(experiment):
    return build_context(experiment, Path())


@pytest.fixture(scope="module")
def empty(context):
    def init():
        params, model_state = context.network.init(jax.random.key(0))
        values = {"params": params, "model_state": model_state}
        return init_replay(context, values, jax.random.key(0))

    shapes = jax.eval_shape(init)
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)


def test_there_is_room_for_every_collectors_rows_of_each_iteration(empty):
    assert {leaf.shape[:2] for leaf in jax.tree.leaves(empty)} == {(KEPT, ROOM)}
    assert empty.observation.shape == (KEPT, ROOM, 3, 3, 2)
    assert empty.extras["weights"].shape == (KEPT, ROOM, 9)


def test_the_newest_iterations_are_kept_and_nothing_else_counts(context, experiment, empty):
    phase = next(p for p in compile_graph(experiment).phases if p.name == "replay")
    keep = jax.jit(replay(context, phase))
    kept = empty
    for t in range(2 * KEPT + 1):
        rows = ROOM if t < 2 else STEPS * SELFPLAY  # without random games there are fewer

        def row(x, rows=rows, t=t):
            filled = np.full((rows, *x.shape[2:]), 1 if x.dtype == bool else t)
            return jnp.asarray(filled.astype(x.dtype))

        batch = jax.tree.map(row, empty)._replace(
            valid=jnp.arange(rows) % 2 == 0, action=jnp.full(rows, t, jnp.int32)
        )
        values = {"replay": kept, "batch": batch, "iteration": jnp.int32(t)}
        kept = keep(values)[0]["replay"]
        flat = jax.device_get(kept_rows(kept))
        assert flat.valid.shape == (KEPT * ROOM,)
        counted = flat.action[flat.valid]
        expected = range(max(0, t - KEPT + 1), t + 1)
        of = {i: (ROOM if i < 2 else STEPS * SELFPLAY) // 2 for i in expected}
        assert {int(i): int((counted == i).sum()) for i in np.unique(counted)} == of


def test_the_graph_trains_on_what_is_kept(experiment):
    graph = compile_graph(experiment)
    training = next(phase for phase in graph.phases if phase.name == "training")
    assert "replay" in training.reads
    assert "batch" not in training.reads
    field = next(field for field in graph.fields if field.name == "replay")
    assert field.digested
    assert field.guarded
