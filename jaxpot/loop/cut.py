"""What is known of games that a rollout cuts short: each seat's value of where they stand.

Axis letters: N lanes.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.loop.context import Context
from jaxpot.models.base import ModelState, Params
from jaxpot.models.memory import of_seat


def final_values(
    context: Context, params: Params, model_state: ModelState, state: Any, memory: Any
) -> tuple[Array, Array]:
    """Values the cut for each seat: `[N, 2]` float32, and whether each may be used, `[N, 2]` bool.

    Where a game shows only the mover's view, the other seat takes the negative of the mover's
    value if the game is two-player zero-sum, and has none otherwise.
    """
    env = context.env

    def value_of(seat: Array) -> Array:
        observation = jax.vmap(env.observe)(state, seat)
        carry = of_seat(memory, seat)
        return context.network.step(params, model_state, observation, carry)[0].value

    mover = state.current_player
    moves = mover[:, None] == jnp.arange(2)[None, :]
    if env.both_views:
        seats = jnp.zeros_like(mover)
        value = jnp.stack([value_of(seats), value_of(seats + 1)], axis=1)
        return value, jnp.ones_like(moves)
    own = value_of(mover)[:, None]
    if env.zero_sum:
        return jnp.where(moves, own, -own), jnp.ones_like(moves)
    return jnp.where(moves, own, 0.0), moves
