"""The opponent's card, as pgx dealt it, and never from the player's own view."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.auxiliary_losses import build_opponent_hand
from jaxpot.games import pgx_env
from jaxpot.spec import PgxEnv
from jaxpot.spec.configs.auxiliary import OpponentHand
from tests.algorithms.auxiliary.rows import rows

LANES = 16


@pytest.mark.parametrize(("game", "history"), [("kuhn_poker", 2), ("leduc_holdem", 1)])
def test_what_is_recorded_is_what_the_other_player_sees_of_its_own_hand(game, history):
    env = pgx_env.build(PgxEnv(id=game, history=history))
    loss = build_opponent_hand(OpponentHand(), env=env)

    @jax.jit
    def look(key):
        state = jax.vmap(env.init)(jax.random.split(key, LANES))
        other = jax.vmap(env.observe)(state, 1 - state.current_player)
        return loss.record(env, state), other

    hand, seen = jax.device_get(look(jax.random.key(3)))
    # Both games show a player its own card in the first three entries.
    np.testing.assert_array_equal(hand, seen[:, :3])
    assert hand.dtype == np.float32 and (hand.sum(1) == 1).all()
    assert (hand.sum(0) > 0).all()


def test_the_loss_is_the_cross_entropy_of_the_hand():
    loss = build_opponent_hand(OpponentHand(), env=pgx_env.build(PgxEnv(id="kuhn_poker")))
    output = jnp.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]])
    found = loss.loss(output, jnp.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(found, [np.log(3), np.log(1 + 2 * np.exp(-9.0))], atol=1e-6)


def test_without_a_record_there_is_no_target():
    loss = build_opponent_hand(OpponentHand(), env=pgx_env.build(PgxEnv(id="kuhn_poker")))
    with pytest.raises(ValueError, match="were not recorded"):
        loss.targets(rows(done=np.zeros((2, 2), bool)), None)
