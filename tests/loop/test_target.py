"""The target: how it follows the network, that it is a copy, and what is trained against it."""

import functools
import itertools
from pathlib import Path

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.loop import phases
from jaxpot.loop.context import NETWORK, build_context, network_variables
from jaxpot.loop.games import no_games
from jaxpot.loop.lower import inputs_of, lower_phase, split_state
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.programs import Programs
from jaxpot.loop.streams import root_key_data
from jaxpot.models.base import Variables
from tests.league import skill
from tests.tiny import tiny_experiment

TAU, EVERY, STEPS, LANES = 0.25, 2, 5, 8


def experiment_of(*, tau=TAU, every=EVERY, opponent="target"):
    return tiny_experiment(
        target={"tau": tau, "every": every},
        overrides={
            "algorithm": {"batch_size": 16},
            "collect": {
                "num_steps": STEPS,
                "random": None,
                "selfplay": {"num_envs": LANES, "opponent": opponent},
            },
            "eval": {"vs_random": None, "tree": None},
        },
    )


def phase_of(experiment, name):
    graph = compile_graph(experiment)
    return graph, next(phase for phase in graph.phases if phase.name == name)


@functools.cache
def updater(tau, every):
    experiment = experiment_of(tau=tau, every=every)
    context = build_context(experiment, Path("runs"))
    _, phase = phase_of(experiment, "target_update")
    return jax.jit(phases.target_update.build(context, phase))


def network(seed):
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((2, 3, 4)).astype(np.float32)
    return Variables(
        {"w": weights[0], "half": jnp.asarray(weights[1, 0], jnp.bfloat16)},
        {"mean": weights[1, 1], "count": np.int32(seed)},
    )


@pytest.mark.parametrize(("tau", "every"), [(0.25, 2), (1.0, 3), (0.005, 1)])
def test_the_target_moves_by_the_formula_at_its_cadence(tau, every):
    update = updater(tau, every)
    target = network(0)
    for t in range(7):
        live = network(t + 1)
        (after, metrics) = update({**vars(live), "target": target, "iteration": jnp.int32(t)})
        after, before, target = after["target"], target, after["target"]
        assert metrics == {}
        if (t + 1) % every:
            jax.tree.map(np.testing.assert_array_equal, after, before)
            continue
        for part, name in (("params", "w"), ("model_state", "mean")):
            new, old = (
                np.float64(getattr(live, part)[name]),
                np.float64(getattr(before, part)[name]),
            )
            expected = tau * new + (1 - tau) * old
            np.testing.assert_allclose(getattr(after, part)[name], expected, rtol=1e-6, atol=1e-7)
        assert after.params["half"].dtype == jnp.bfloat16
        assert after.model_state["count"] == t + 1
        if tau == 1:
            jax.tree.map(np.testing.assert_array_equal, after, live)


@pytest.fixture(scope="module")
def looped():
    """Five iterations of the loop's own program, its buffers donated: every state as numpy."""
    experiment = experiment_of()
    context, graph = build_context(experiment, Path("runs")), compile_graph(experiment)
    programs = Programs(graph, context, lambda *_: None)
    root_key = jax.device_put(root_key_data(experiment.seed))
    state, _ = programs.init()(root_key)
    pointers = [_pointers(state)]
    history = [_kept(state)]
    for t in range(5):
        regime = graph.regime_at(t)
        changing, fixed = split_state(graph, regime, state)
        changed, _ = programs.iteration(regime)(changing, fixed, root_key)
        state = fixed | changed
        pointers.append(_pointers(state))
        history.append(_kept(state))
    assert programs.compiles == {"init": 1, f"iteration[{graph.regime_at(0).name}]": 1}
    return history, pointers


def _kept(state):
    # Not of the state itself: numpy would share its memory, and jax then not reuse it.
    return jax.device_get(jax.tree.map(jnp.copy, state))


def _pointers(state):
    live = [x.unsafe_buffer_pointer() for x in jax.tree.leaves([state[n] for n in NETWORK])]
    return live, [x.unsafe_buffer_pointer() for x in jax.tree.leaves(state["target"])]


def test_a_fresh_target_is_the_network(looped):
    history, _ = looped
    live = network_variables(history[0])
    jax.tree.map(np.testing.assert_array_equal, history[0]["target"], live)


def test_the_target_never_lies_where_the_network_does(looped):
    _, pointers = looped
    for live, target in pointers:
        assert len({*live, *target}) == len(live) + len(target)


def test_the_loop_moves_the_target_after_training_and_only_then(looped):
    history, _ = looped
    for t, (before, after) in enumerate(itertools.pairwise(history)):
        moved = not np.array_equal(*(_flat(x["params"]) for x in (before, after)))
        assert moved, "training changes the network at every iteration"
        old, new = _flat(before["target"]), _flat(after["target"])
        if (t + 1) % EVERY:
            np.testing.assert_array_equal(new, old)
        else:
            live = _flat(network_variables(after))
            np.testing.assert_allclose(new, TAU * live + (1 - TAU) * old, rtol=1e-6, atol=1e-8)
            assert not np.array_equal(new, old)


def _flat(tree):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


@functools.cache
def collected(opponent):
    """Rows of self-play by a network that always names 3; the target always names 1."""
    experiment = experiment_of(opponent=opponent)
    context = build_context(experiment, Path("runs"))
    context = attrs.evolve(
        context,
        env=skill.SkillGame(),
        network=skill.LevelNetwork(),
        algorithm=attrs.evolve(context.algorithm, network=skill.LevelNetwork()),
    )
    graph, phase = phase_of(experiment, "collect_selfplay")
    joined = next(p for p in graph.phases if p.name == "concatenate_batches")
    values = {
        **vars(skill.network(3)),
        "target": skill.network(1),
        "key.selfplay": jax.random.key(0),
        "selfplay_lanes": no_games(context, LANES, remembers=opponent == "target"),
    }

    @jax.jit
    def run(values):
        writes, metrics = lower_phase(phase, context)(inputs_of(phase, values))
        batch, counts = lower_phase(joined, context)(inputs_of(joined, writes))
        return writes["rollout.selfplay"], batch["batch"], counts, metrics

    return jax.device_get(run(values))


def test_the_network_plays_the_target_and_both_hold_both_seats_in_turn():
    rows, _, _, metrics = collected("target")
    np.testing.assert_array_equal(rows.action, np.where(rows.trained, 3, 1))
    first = rows.trained[0]
    assert first.tolist() == [True] * (LANES // 2) + [False] * (LANES // 2)
    # They take turns, and a new game begins as the one before it did.
    np.testing.assert_array_equal(rows.trained, first ^ (np.arange(STEPS)[:, None] % 2 == 1))
    ends = rows.done.nonzero()
    agent = np.where(rows.trained, rows.seat, 1 - rows.seat)
    assert (rows.reward[(*ends, agent[ends])] == 0.5).all()
    # Both indices that the game gives its players, in each half.
    assert set(rows.seat[0][first]) == set(rows.seat[0][~first]) == {0, 1}
    assert metrics == {}


def test_only_the_networks_own_rows_are_trained():
    rows, batch, counts, _ = collected("target")
    mine = rows.trained.reshape(-1)
    # The agent's last row before a cut is valid where its next decision is known: it is to move.
    waits = (np.arange(STEPS)[:, None] == STEPS - 1) & rows.trained & ~rows.done
    np.testing.assert_array_equal(batch.valid, mine & ~waits.reshape(-1))
    assert (batch.action[batch.valid] == 3).all()
    assert counts["iteration/num_samples"] == mine.sum() == LANES // 2 * STEPS
    assert counts["iteration/env_steps"] == STEPS * LANES
    # One trained seat a game: a finished game is one trajectory.
    assert counts["iteration/rollouts"] == counts["iteration/episodes"] == rows.done.sum()
    agent = np.where(rows.trained[-1], rows.seat[-1], 1 - rows.seat[-1])
    cut = ~rows.done[-1]
    assert cut.all()
    held = (np.arange(2)[None] == agent[:, None]) & ~rows.trained[-1][:, None]
    np.testing.assert_array_equal(rows.bootstrap_mask[cut], held[cut])


def test_against_itself_both_seats_are_trained():
    rows, batch, counts, _ = collected("live")
    assert rows.trained.all()
    assert (rows.action == 3).all()
    assert batch.valid.all()
    assert counts["iteration/num_samples"] == STEPS * LANES
    assert counts["iteration/rollouts"] == 2 * counts["iteration/episodes"]
