"""Steps with auto-reset, and uniformly random moves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.games import auto_reset_step, uniform_legal_action
from tests.games.nim import Nim

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


choose = jax.jit(uniform_legal_action)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.booleans(), min_size=6, max_size=6).filter(any), st.integers(0, 2**32 - 1))
def test_only_legal_actions_are_drawn(mask, seed):
    masks = jnp.tile(jnp.array(mask), (32, 1))
    actions = choose(masks, jax.random.key(seed))
    assert actions.dtype == jnp.int32
    assert np.array(mask)[np.asarray(actions)].all()


def test_each_legal_action_is_equally_likely():
    mask = jnp.array([False, True, True, False, True, False])
    actions = choose(jnp.tile(mask, (30_000, 1)), jax.random.key(1))
    counts = np.bincount(np.asarray(actions), minlength=6)
    # Five standard deviations of a binomial count are 408.
    np.testing.assert_allclose(counts, [0, 10_000, 10_000, 0, 10_000, 0], atol=408)


def test_lanes_draw_on_their_own():
    masks = jnp.array([[True, False], [False, True], [False, False]])
    assert choose(masks, jax.random.key(0)).tolist() == [0, 1, 0]
