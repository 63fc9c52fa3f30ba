"""The residual feed-forward block, which normalises first.

Axis letters: D width.
"""

import math

import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.dense import ACTIVATIONS, dense

EXPANSION = 4


class FeedForward(nnx.Module):
    """LayerNorm, a wide layer, a nonlinearity, a layer back, and what came in added.

    As in Vaswani et al. 2017, section 3.3 (https://arxiv.org/abs/1706.03762), normalised first.
    """

    def __init__(self, width: int, *, activation: str, dtype: str, rngs: nnx.Rngs) -> None:
        self.activation = ACTIVATIONS[activation]
        self.norm = layer_norm(width, dtype=dtype, rngs=rngs)
        wide = EXPANSION * width
        self.expand = dense(width, wide, gain=math.sqrt(2.0), dtype=dtype, rngs=rngs)
        self.contract = dense(wide, width, gain=1.0, dtype=dtype, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Maps `[..., D]` to the same shape."""
        return x + self.contract(self.activation(self.expand(self.norm(x))))


def layer_norm(width: int, *, dtype: str, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """Makes a LayerNorm over the last axis, its statistics float32 whatever the dtype."""
    return nnx.LayerNorm(width, dtype=jnp.dtype(dtype), rngs=rngs)
