"""Recurrent networks in the loop: what training recomputes is what was played."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.losses import log_prob_of, mask_illegal, sample_action
from jaxpot.algorithms.minibatches import by_lane, predict
from jaxpot.loop.collect import rollout
from jaxpot.loop.context import build_context
from jaxpot.loop.games import no_games
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.phases.concatenate_batches import build as concatenate_batches
from tests.marks import slow_except
from tests.tiny import tiny_experiment

LANES, STEPS, SEQ_LEN = 4, 12, 4  # a game of tic-tac-toe ends before step 10

LSTM = {"kind": "lstm", "hidden_size": 8}
MODELS = {
    "lstm": {"kind": "mlp", "hidden_dims": [8], "memory": LSTM},
    "gru": {"kind": "mlp", "hidden_dims": [8], "memory": {"kind": "gru", "hidden_size": 8}},
    "resnet_lstm": {"kind": "resnet", "num_filters": 4, "num_blocks": 1, "memory": LSTM},
    "transformer_lstm": {
        "kind": "transformer",
        "num_blocks": 1,
        "num_heads": 2,
        "head_dim": 4,
        "memory": LSTM,
    },
}


def build(case, **changes):
    experiment = tiny_experiment(
        model=MODELS[case],
        algorithm={"kind": "ppo", "batch_size": 2 * SEQ_LEN, "seq_len": SEQ_LEN, **changes},
        collect={"num_steps": STEPS, "selfplay": {"num_envs": LANES}},
        overrides={"eval": None, "model": {"hidden_dims": MODELS[case].get("hidden_dims")}},
    )
    return build_context(experiment, Path()), compile_graph(experiment)


def sharpened(context, key):
    """Draws a network whose policy says more than a fresh one's, which is close to uniform."""
    return jax.tree.map(lambda x: 3 * x, context.network.init(key))


@pytest.mark.parametrize("case", slow_except(MODELS, "gru", "lstm"))
def test_training_recomputes_what_was_played(case):
    context, graph = build(case)
    phase = next(phase for phase in graph.phases if phase.name == "concatenate_batches")

    @jax.jit
    def run(key):
        variables = sharpened(context, jax.random.key(9))
        rows, *_ = rollout(context, key, variables, num_envs=LANES)
        batch = concatenate_batches(context, phase)({"rollout.selfplay": rows})[0]["batch"]
        everything = jnp.ones(batch.valid.shape[0], bool)
        outputs, flat, mask, _ = predict(context.network, variables, batch, everything, key=None)
        log_probs = jax.nn.log_softmax(mask_illegal(outputs.logits, flat.legal_action_mask))
        return rows, batch, flat, mask, log_prob_of(log_probs, flat.action), outputs.value

    rows, batch, flat, mask, log_prob, value = jax.device_get(run(jax.random.key(0)))
    assert rows.done[:-1].any(), "memories are emptied within a sequence"
    assert batch.valid.shape == (STEPS // SEQ_LEN * LANES, SEQ_LEN)
    assert mask.all()
    np.testing.assert_allclose(log_prob, flat.extras["log_prob"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, flat.extras["value"], rtol=1e-4, atol=1e-5)
    # Without what was carried they would be others: it is no accident that they agree.
    assert all(np.abs(leaf[0]).max() == 0 for leaf in jax.tree.leaves(rows.memory))
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(rows.memory))
    assert log_prob.std() > 0.1

    # The sequences are the rollout's, whole and in its order.
    again = jax.device_get(by_lane(batch, start=0, steps=STEPS, lanes=LANES))
    np.testing.assert_array_equal(again.action, rows.action)
    np.testing.assert_array_equal(again.observation, rows.observation)


def test_a_memory_begins_anew_with_each_game_and_is_the_seats_own():
    context, _ = build("gru")

    network = sharpened(context, jax.random.key(9))

    @jax.jit
    def run(key, games):
        return rollout(context, key, network, num_envs=LANES, games=games)

    games, parts = no_games(context, LANES, remembers=False), []
    for n in (1, 2):
        played = run(jax.random.key(n), games)
        games = played.games
        parts.append(jax.device_get(played.rows))
    rows = jax.tree.map(lambda *x: np.concatenate(x), *parts)
    assert not rows.done[STEPS - 1].all(), "a memory goes on with its game in the next iteration"
    step = jax.jit(context.network.step)
    fresh = context.network.initial_carry(1)
    (memory,) = jax.tree.leaves(jax.device_get(rows.memory))
    for lane in range(LANES):
        carries = [fresh, fresh]
        for t in range(2 * STEPS):
            for seat in (0, 1):
                (kept,) = jax.tree.leaves(carries[seat])
                np.testing.assert_allclose(memory[t, lane, seat], kept[0], rtol=1e-4, atol=1e-5)
            seat = int(rows.seat[t, lane])
            seen = rows.observation[t, lane][None]
            _, carries[seat] = step(network, seen, carries[seat])
            if rows.done[t, lane]:
                carries = [fresh, fresh]


def test_an_opponent_has_a_memory_of_its_own():
    context, _ = build("gru")
    agent, other = (sharpened(context, jax.random.key(n)) for n in (9, 10))

    @jax.jit
    def run(key):
        return rollout(context, key, agent, num_envs=LANES, opponent=other)[0]

    rows = jax.device_get(run(jax.random.key(2)))
    step = jax.jit(context.network.step)
    fresh = context.network.initial_carry(LANES)
    carry, asked = fresh, 0
    for t, key in enumerate(jax.random.split(jax.random.split(jax.random.key(2))[1], STEPS)):
        theirs = ~rows.trained[t]
        outputs, after = step(other, rows.observation[t], carry)
        chosen = sample_action(
            jax.random.split(key, 3)[1], outputs.logits, rows.legal_action_mask[t]
        )
        np.testing.assert_array_equal(rows.action[t][theirs], np.asarray(chosen)[theirs])
        asked += theirs.sum()
        carry = jnp.where(theirs[:, None], after, carry)
        carry = jnp.where(rows.done[t][:, None], fresh, carry)
    assert asked > STEPS
