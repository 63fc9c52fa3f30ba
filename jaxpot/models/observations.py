"""What models make of an observation: one vector, or the planes of a board.

Axis letters: B batch, C channels, H height, W width.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.errors import UserError
from jaxpot.models.base import Observation, ObservationShape, is_shape


def flat_size(observation_shape: ObservationShape) -> int:
    """Returns how many numbers an observation has, in all its arrays."""
    return sum(map(math.prod, jax.tree.leaves(observation_shape, is_leaf=is_shape)))


def flatten(observation: Observation) -> Array:
    """Lays the numbers of an observation's arrays, by their sorted keys, in one row: `[B, F]`."""
    rows = [x.reshape(x.shape[0], -1) for x in jax.tree.leaves(observation)]
    return rows[0] if len(rows) == 1 else jnp.concatenate(rows, axis=1)


def board_shape(observation_shape: ObservationShape, *, model: str) -> tuple[int, int, int]:
    """Returns the shape of a board's planes, `[H, W, C]`.

    Raises:
        UserError: The observation is another; `model` is who asks, with an article.
    """
    match observation_shape:
        case (int(height), int(width), int(channels)):
            return height, width, channels
    raise UserError(
        f"{model} needs observations [height, width, channels]; got {observation_shape}"
    )


def planes(observation: Array, dtype: str) -> Array:
    """Turns `[B, H, W, C]` to channels first, batch last: `[C, H, W, B]` of a dtype."""
    return observation.transpose(3, 1, 2, 0).astype(dtype)
