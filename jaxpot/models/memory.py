"""What a recurrent network carries from one decision to the next, a state per seat and lane.

Axis letters: N lanes. A carry is a pytree of `[N, ...]` arrays; a memory holds both seats',
`[N, 2, ...]`. A network without memory has the empty one, `()`, for both.
"""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array

Carry: TypeAlias = Any
"""A pytree of `[N, ...] float32`: what a network has kept of a game, from one seat's view."""


def both_seats(carry: Carry) -> Carry:
    """Gives each seat a copy: `[N, ...]` becomes `[N, 2, ...]`."""
    return jax.tree.map(lambda x: jnp.stack([x, x], axis=1), carry)


def of_seat(memory: Carry, seat: Array) -> Carry:
    """Returns the carry of `seat` `[N]` int32 in each lane: `[N, 2, ...]` gives `[N, ...]`."""
    return jax.tree.map(lambda x: jnp.where(_wide(seat == 0, x[:, 0]), x[:, 0], x[:, 1]), memory)


def with_seat(memory: Carry, seat: Array, carry: Carry) -> Carry:
    """Returns `memory` with the carry of `seat` `[N]` int32 replaced in each lane."""
    acted = seat[:, None] == jnp.arange(2)[None, :]
    return jax.tree.map(
        lambda old, new: jnp.where(_wide(acted, old), new[:, None], old), memory, carry
    )


def where_lanes(condition: Array, on_true: Carry, on_false: Carry) -> Carry:
    """Chooses lane by lane by `[N]` bool, between carries or between memories."""
    return jax.tree.map(lambda a, b: jnp.where(_wide(condition, a), a, b), on_true, on_false)


def _wide(condition: Array, like: Array) -> Array:
    """Adds axes behind those of `condition` until it broadcasts against `like`."""
    return condition.reshape(condition.shape + (1,) * (like.ndim - condition.ndim))
