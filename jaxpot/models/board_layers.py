"""What networks over a board are built of.

Arrays are channels first, batch last; `jaxpot.models.convolution` says why. A layer computes in
the dtype of what it is given; parameters are float32.

Axis letters: C channels, F filters, H height, W width, B batch.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array, lax

from jaxpot.models.convolution import convolution
from jaxpot.models.dense import orthogonal
from jaxpot.models.normalization import normalize_relu

# Of positions (H * W * B) in a tile: 64 filters of this many fit a core's second-level cache.
TILE_POSITIONS = 3072


class Convolution(nnx.Module):
    """A square convolution without bias (a normalisation or a skip connection follows)."""

    def __init__(self, inputs: int, outputs: int, *, window: int = 3, rngs: nnx.Rngs) -> None:
        initialize = nnx.initializers.he_normal()
        self.kernel = nnx.Param(initialize(rngs.params(), (window, window, inputs, outputs)))

    def __call__(self, x: Array) -> Array:
        """Maps `[C, H, W, B]` to `[F, H, W, B]`."""
        return convolution(x, self.kernel[...].astype(x.dtype))


class BiasedConvolution(Convolution):
    """A convolution with a bias, where nothing normalises."""

    def __init__(self, inputs: int, outputs: int, *, window: int = 3, rngs: nnx.Rngs) -> None:
        super().__init__(inputs, outputs, window=window, rngs=rngs)
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: Array) -> Array:
        """Maps `[C, H, W, B]` to `[F, H, W, B]`."""
        return super().__call__(x) + self.bias[...].astype(x.dtype).reshape(-1, 1, 1, 1)


class NormRelu(nnx.Module):
    """LayerNorm over channels, in float32, then a ReLU."""

    def __init__(self, channels: int) -> None:
        self.scale = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))

    def __call__(self, x: Array) -> Array:
        """Maps `[C, H, W, B]` to the same shape."""
        normal = normalize_relu(x.astype(jnp.float32), self.scale[...], self.bias[...])
        return normal.astype(x.dtype)


class Relu(nnx.Module):
    """A ReLU where nothing normalises."""

    def __call__(self, x: Array) -> Array:
        """Maps `[C, H, W, B]` to the same shape."""
        return jax.nn.relu(x)


class SquareFeatures(nnx.Module):
    """A dense layer at each square: a 1x1 convolution with bias."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        initialize = orthogonal(math.sqrt(2.0))
        self.kernel = nnx.Param(initialize(rngs.params(), (inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: Array) -> Array:
        """Maps `[C, H, W, B]` to `[F, H, W, B]`."""
        kernel, bias = self.kernel[...].astype(x.dtype), self.bias[...].astype(x.dtype)
        return jnp.tensordot(kernel, x, axes=(0, 0)) + bias.reshape(-1, 1, 1, 1)


def pool(x: Array) -> Array:
    """Takes the mean and the maximum of each filter: `[F, H, W, B]` to `[2 * F, B]`."""
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    # The gradient of `x.max` asks which x equal the maximum; XLA may compute x anew for that,
    # rounded otherwise, and find the wrong one or none. An index is found once.
    square = lax.broadcasted_iota(jnp.int32, x.shape, 1)
    where = square == lax.stop_gradient(x).argmax(axis=1, keepdims=True)
    return jnp.concatenate([x.mean(axis=1), jnp.where(where, x, 0).sum(axis=1)])


def flat_squares(x: Array) -> Array:
    """Lays the squares of each filter in one row: `[F, H, W, B]` to `[B, F * H * W]`."""
    return x.reshape(-1, x.shape[-1]).T


def tile_rows(board: tuple[int, int, int]) -> int:
    """Returns how many rows of a batch a network evaluates at a time on CPU."""
    height, width, _ = board
    return max(16, TILE_POSITIONS // (height * width) // 16 * 16)
