"""Choosing among legal actions without a policy.

Axis letters: N lanes, A actions.
"""

import jax
import jax.numpy as jnp
from jax import Array


def uniform_legal_action(legal_action_mask: Array, key: Array) -> Array:
    """Draws one legal action per lane, each equally likely.

    One draw a lane, the rank of the action among the legal ones, rather than one a lane and an
    action: on games with many actions this is several times cheaper than a categorical sample.

    Args:
        legal_action_mask: `[N, A]` bool; a lane without a legal action gets action 0.
        key: A typed key, consumed.

    Returns:
        `[N]` int32.
    """
    num_legal = jnp.sum(legal_action_mask, axis=-1, dtype=jnp.int32)
    rank = jax.random.randint(key, num_legal.shape, 0, num_legal)
    legal_so_far = jnp.cumsum(legal_action_mask, axis=-1, dtype=jnp.int32)
    return jnp.argmax(legal_so_far > rank[..., None], axis=-1).astype(jnp.int32)
