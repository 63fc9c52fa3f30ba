import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.games import auto_reset_step, uniform_legal_action
from tests.games.nim import Nim

pytestmark = pytest.mark.usefixtures("quick_compiles")

LANES = 16


@pytest.fixture(scope="module")
def env():
    return Nim(heap=4)


def test_a_finished_game_gives_way_to_a_new_one(env):
    state = env.init(jax.random.key(0))
    step = jax.jit(lambda s, a, k: auto_reset_step(env, s, a, k))
    half_way = step(state, jnp.int32(2), jax.random.key(1))
    assert int(half_way.state.heap) == 1
    assert not bool(half_way.terminated)

    key = jax.random.key(2)
    end = step(half_way.state, jnp.int32(0), key)
    winner = int(half_way.state.current_player)
    assert bool(end.terminated)
    assert end.rewards[winner] == 1
    assert end.rewards[1 - winner] == -1
    jax.tree.map(
        np.testing.assert_array_equal,
        end.state,
        env.init(jax.random.split(jax.random.clone(key))[1]),
    )


def test_lanes_play_on_without_reusing_a_key(env):
    """The bookkeeping of lanes that reset at different times, against a loop in Python."""

    def turn(carry, _):
        state, key = carry
        key, act_key, step_key = jax.random.split(key, 3)
        action = uniform_legal_action(state.legal_action_mask, act_key)
        after = jax.vmap(lambda s, a, k: auto_reset_step(env, s, a, k))(
            state, action, jax.random.split(step_key, LANES)
        )
        return (after.state, key), (state.heap, state.current_player, action, after)

    @jax.jit
    def play(key):
        deal_key, play_key = jax.random.split(key)
        start = jax.vmap(env.init)(jax.random.split(deal_key, LANES))
        return jax.lax.scan(turn, (start, play_key), length=30)[1]

    with jax.debug_key_reuse(True):
        heap, mover, action, after = jax.device_get(play(jax.random.key(0)))

    left = heap - action - 1
    over = left == 0
    assert over.sum() > LANES
    np.testing.assert_array_equal(after.terminated, over)
    np.testing.assert_array_equal(after.state.heap, np.where(over, 4, left))
    np.testing.assert_array_equal(heap[1:], after.state.heap[:-1])
    payoff = np.where(np.arange(2) == mover[..., None], 1.0, -1.0) * over[..., None]
    np.testing.assert_array_equal(after.rewards, payoff)
    np.testing.assert_array_equal(after.state.rewards, payoff * ~over[..., None])
    assert set(after.state.current_player[over].tolist()) == {0, 1}
