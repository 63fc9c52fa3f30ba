import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.games import uniform_legal_action

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
