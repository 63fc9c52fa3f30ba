"""Whom the environments play against: weights by score, and whole groups by weight.

Axis letters: S slots, G groups.
"""

import jax.numpy as jnp
from jax import Array


def weights(score: Array, playing: Array, *, temperature: float) -> Array:
    """Returns `softmax(-score / temperature)` over the entries that play, `[S]` float32."""
    logits = jnp.where(playing, -score / temperature, -jnp.inf)
    odds = jnp.where(playing, jnp.exp(logits - logits.max()), 0.0)
    return odds / odds.sum()


def allocate(weight: Array, playing: Array, born: Array, *, groups: int) -> Array:
    """Returns how many groups each entry gets, `[S]` int32; they add up to `groups`.

    Everyone gets the whole part of their share, in float32; the rest goes to the largest fractions,
    one each, to the older of equal ones.

    Args:
        weight: `[S]` float32, adding up to 1 over the entries that play.
        playing: `[S]` bool: at least one.
        born: `[S]` int32: the entries' age.
        groups: How many there are.
    """
    share = weight * groups
    whole = jnp.floor(share)
    fraction = jnp.where(playing, share - whole, -1.0)
    left = groups - whole.sum().astype(jnp.int32)
    best_first = jnp.lexsort((born, -fraction))
    rank = jnp.zeros_like(born).at[best_first].set(jnp.arange(born.size, dtype=born.dtype))
    return whole.astype(jnp.int32) + (playing & (rank < left)).astype(jnp.int32)


def group_slots(counts: Array, born: Array, *, groups: int) -> Array:
    """Returns the slot of each group's opponent, `[G]` int32: the oldest entry's groups first."""
    by_age = jnp.argsort(jnp.where(counts > 0, born, jnp.iinfo(born.dtype).max), stable=True)
    ends = jnp.cumsum(counts[by_age])
    return by_age[jnp.searchsorted(ends, jnp.arange(groups), side="right")].astype(jnp.int32)
