"""Generalised advantage estimation per seat, over games in which two seats take turns."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Advantages(NamedTuple):
    """What one backward scan over a rollout gives; all `[T, N]`."""

    advantage: Array
    """float32: GAE of the seat that acted."""
    target: Array
    """float32: the value's target, advantage + value."""
    known: Array
    """bool: whether the row's return rests on an end or on a value, not on a blind cut."""


def per_seat_gae(
    *,
    value: Array,
    reward: Array,
    done: Array,
    seat: Array,
    final_value: Array,
    final_known: Array,
    gamma: float,
    gae_lambda: float,
) -> Advantages:
    """Computes GAE (Schulman et al. 2016, eq. 16) for each seat over its own decisions.

    A seat's transition runs from one of its decisions to its next, whoever moved in between; the
    rewards that it gets on the way belong to the decision. The discount counts a seat's own
    decisions. At a game's end nothing follows; at the cut the seat's next value is `final_value`.

    Args:
        value: `[T, N]` float32, the acting seat's value estimate.
        reward: `[T, N, 2]` float32, both seats' rewards of the step.
        done: `[T, N]` bool, whether the step ended the game.
        seat: `[T, N]` int32, the seat that acted, 0 or 1.
        final_value: `[N, 2]` float32, each seat's value of the state after the last step.
        final_known: `[N, 2]` bool, whether that value may be bootstrapped from.
        gamma: Discount per decision.
        gae_lambda: Trace decay.
    """

    def backward(carry, row):
        next_value, next_advantage, pending, known = carry
        value_t, reward_t, done_t, seat_t = row
        ended = done_t[:, None]
        next_value = jnp.where(ended, 0.0, next_value)
        next_advantage = jnp.where(ended, 0.0, next_advantage)
        pending = jnp.where(ended, 0.0, pending) + reward_t
        known = known | ended

        def of_actor(both: Array) -> Array:
            return jnp.where(seat_t == 0, both[:, 0], both[:, 1])

        delta = of_actor(pending) + gamma * of_actor(next_value) - value_t
        advantage = delta + gamma * gae_lambda * of_actor(next_advantage)
        acted = seat_t[:, None] == jnp.arange(2)[None, :]
        carry = (
            jnp.where(acted, value_t[:, None], next_value),
            jnp.where(acted, advantage[:, None], next_advantage),
            jnp.where(acted, 0.0, pending),
            known,
        )
        return carry, Advantages(advantage, advantage + value_t, of_actor(known))

    zeros = jnp.zeros_like(final_value)
    _, rows = jax.lax.scan(
        backward,
        (final_value, zeros, zeros, final_known),
        (value, reward, done, seat),
        reverse=True,
    )
    return rows
