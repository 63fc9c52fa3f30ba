"""What is read off a board's filters: a few features of each square, and the whole board's pool.

Axis letters: F filters, H height, W width, B batch, P `SQUARE_FILTERS`.
"""

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.models.board_layers import SquareFeatures, flat_squares, pool

SQUARE_FILTERS = 4


def num_read(board: tuple[int, int, int], num_filters: int) -> int:
    """Returns how many features `read_board` gives."""
    height, width, _ = board
    return height * width * SQUARE_FILTERS + 2 * num_filters


def read_board(squares: SquareFeatures, x: Array) -> tuple[Array, Array]:
    """Reads `[F, H, W, B]`: all features `[B, H * W * P + 2 * F]`, and of them the pooled ones.

    Those are the mean and the maximum of every filter, `[B, 2 * F]` (global pooling: Wu 2019,
    section 3.3; https://arxiv.org/abs/1902.10565). Both are float32.
    """
    pooled = pool(x).T.astype(jnp.float32)
    flat = flat_squares(jax.nn.relu(squares(x))).astype(jnp.float32)
    return jnp.concatenate([flat, pooled], axis=1), pooled
