"""Layers that several networks share: dense ones, dropout, feed-forward blocks, flattening.

Axis letters: B batch, F features, D width.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.base import Observation, ObservationShape, Training, is_shape

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": jax.nn.gelu,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "tanh": jax.nn.tanh,
}

EXPANSION = 4
"""Width of a feed-forward block's hidden layer over the block's own width."""


def flat_size(observation_shape: ObservationShape) -> int:
    """Return how many numbers an observation has, in all its arrays."""
    return sum(map(math.prod, jax.tree.leaves(observation_shape, is_leaf=is_shape)))


def flatten(observation: Observation) -> Array:
    """Put all numbers of an observation in one row, `[B, F]`; nested arrays by sorted key."""
    rows = [x.reshape(x.shape[0], -1) for x in jax.tree.leaves(observation)]
    return rows[0] if len(rows) == 1 else jnp.concatenate(rows, axis=1)


def dense(
    num_inputs: int, num_outputs: int, *, gain: float, rngs: nnx.Rngs, dtype: str = "float32"
) -> nnx.Linear:
    """Make a dense layer with an orthogonal kernel of the given gain and a zero bias.

    Kernel and bias are float32; the layer computes in `dtype` and returns it.
    """
    return nnx.Linear(
        num_inputs, num_outputs, kernel_init=orthogonal(gain), dtype=jnp.dtype(dtype), rngs=rngs
    )


def orthogonal(gain: float) -> Callable[..., Array]:
    """Return an initializer of orthogonal matrices, uniform over them, without LAPACK.

    It takes the polar factor of a Gaussian matrix by Newton-Schulz iterations. Those are products
    only, which every device compiles at once; a QR decomposition makes jax import SciPy on CPU.
    """

    def init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32, **_: Any) -> Array:
        rows, columns = math.prod(shape[:-1]), shape[-1]
        # Drawing a flat array gives the same bits and compiles in a fraction of the time on CPU.
        shape_of_tall = max(rows, columns), min(rows, columns)
        tall = jax.random.normal(key, (rows * columns,), dtype).reshape(shape_of_tall)

        q = _polar_factor(tall)
        return gain * (q if rows >= columns else q.T).reshape(shape)

    return init


# jit caches by shape: layers of one shape, and networks drawn without jit, share the work.
@jax.jit
def _polar_factor(tall: Array) -> Array:
    """Return the matrix with orthonormal columns that is closest to `tall`."""

    def step(_: int, x: Array) -> Array:
        gram = jnp.matmul(x.T, x, precision="highest")
        return 1.5 * x - 0.5 * jnp.matmul(x, gram, precision="highest")

    # A step raises a singular value s < 0.5 by at least half; from 1e-7 that takes forty steps.
    return jax.lax.fori_loop(0, 60, step, tall / jnp.linalg.norm(tall))


def drop(x: Array, rate: float, training: Training | None) -> Array:
    """Apply dropout in training; return `x` unchanged in play.

    The numbers that stay are scaled, so that each keeps its mean (Srivastava et al. 2014,
    section 10; https://jmlr.org/papers/v15/srivastava14a.html).

    Args:
        x: `[B, ...]`.
        rate: The share that is zeroed, below 1.
        training: None in play.
    """
    if training is None or rate == 0.0:
        return x
    kept = jax.random.bernoulli(training.rngs.dropout(), 1.0 - rate, x.shape)
    return jnp.where(kept, x / (1.0 - rate), jnp.zeros_like(x))


def layer_norm(width: int, *, dtype: str, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """Make a LayerNorm over the last axis; its statistics are float32 whatever the dtype."""
    return nnx.LayerNorm(width, dtype=jnp.dtype(dtype), rngs=rngs)


class FeedForward(nnx.Module):
    """A residual block: LayerNorm, a wide layer, a nonlinearity, a layer back to the width.

    As in Vaswani et al. 2017, section 3.3 (https://arxiv.org/abs/1706.03762), but normalised first.
    """

    def __init__(self, width: int, *, activation: str, dtype: str, rngs: nnx.Rngs) -> None:
        self.activation = ACTIVATIONS[activation]
        self.norm = layer_norm(width, dtype=dtype, rngs=rngs)
        wide = EXPANSION * width
        self.expand = dense(width, wide, gain=math.sqrt(2.0), dtype=dtype, rngs=rngs)
        self.contract = dense(wide, width, gain=1.0, dtype=dtype, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Map `[..., D]` to the same shape."""
        return x + self.contract(self.activation(self.expand(self.norm(x))))
