"""Batch normalisation, whose running statistics leave out the rows that do not count.

Axis letters: C channels, H height, W width, B batch.
"""

import jax.numpy as jnp
from flax import nnx
from jax import Array, lax

from jaxpot.models.base import Training

EPSILON = 1e-5
DECAY = 0.9
"""Of the running statistics, what is kept at a training step."""


class BatchNorm(nnx.Module):
    """Batch normalisation (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167).

    In play it uses the running statistics. In training it uses those of the rows that count, and
    moves the running ones towards them. Statistics are float32 whatever the dtype.
    """

    def __init__(self, channels: int) -> None:
        self.scale = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))
        self.mean = nnx.BatchStat(jnp.zeros(channels))
        self.variance = nnx.BatchStat(jnp.ones(channels))

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Maps `[C, H, W, B]` to the same shape."""
        wide = x.astype(jnp.float32)
        if training is None:
            mean, variance = self.mean[...], self.variance[...]
        else:
            mean, variance = statistics(wide, training.rows)
            any_row = training.rows.any()
            for running, batch in ((self.mean, mean), (self.variance, variance)):
                moved = DECAY * running[...] + (1.0 - DECAY) * lax.stop_gradient(batch)
                running[...] = jnp.where(any_row, moved, running[...])
        scale = self.scale[...] * lax.rsqrt(variance + EPSILON)
        normal = (wide - _column(mean)) * _column(scale) + _column(self.bias[...])
        return normal.astype(x.dtype)


def statistics(x: Array, rows: Array) -> tuple[Array, Array]:
    """Computes mean and (biased) variance of each channel over the rows that count.

    Args:
        x: `[C, H, W, B] float32`.
        rows: `[B]` bool. Where none counts, both are zero.

    Returns:
        Twice `[C]`.
    """
    counts = jnp.broadcast_to(rows.reshape(1, 1, 1, -1), x.shape)
    number = jnp.maximum(rows.sum() * (x.shape[1] * x.shape[2]), 1).astype(x.dtype)

    def mean_of(x: Array) -> Array:
        return jnp.where(counts, x, 0.0).sum(axis=(1, 2, 3)) / number

    mean = mean_of(x)
    return mean, mean_of(jnp.square(x - _column(mean)))


def _column(channels: Array) -> Array:
    """Reshapes `[C]` to `[C, 1, 1, 1]`."""
    return channels.reshape(-1, 1, 1, 1)
