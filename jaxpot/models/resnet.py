"""The residual network: pre-activation blocks with LayerNorm, and globally pooled heads.

Inside, arrays are channels first, batch last; `jaxpot.models.convolution` says why.

Axis letters: C channels, F filters, H height, W width, B batch, A actions.
"""

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array, lax

from jaxpot.models.base import Network, from_module
from jaxpot.models.convolution import convolution
from jaxpot.models.mlp import dense, orthogonal
from jaxpot.models.normalization import normalize_relu
from jaxpot.models.tiling import over_tiles

if TYPE_CHECKING:
    from jaxpot.spec import ResNet

POLICY_FILTERS = 4
VALUE_WIDTH = 64
# Of positions (H * W * B) in a tile: 64 filters of this many fit a core's second-level cache.
TILE_POSITIONS = 3072


class Convolution(nnx.Module):
    """A 3x3 convolution without bias (a normalisation or a skip connection follows)."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        initialize = nnx.initializers.he_normal()
        self.kernel = nnx.Param(initialize(rngs.params(), (3, 3, inputs, outputs)))

    def __call__(self, x: Array) -> Array:
        """Maps `[C, H, W, B]` to `[F, H, W, B]`."""
        return convolution(x, self.kernel[...])


class NormRelu(nnx.Module):
    """LayerNorm over channels, then a ReLU."""

    def __init__(self, channels: int) -> None:
        self.scale = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))

    def __call__(self, x: Array) -> Array:
        """Maps `[C, H, W, B]` to the same shape."""
        return normalize_relu(x, self.scale[...], self.bias[...])


class Block(nnx.Module):
    """A pre-activation residual block (He et al. 2016, https://arxiv.org/abs/1603.05027)."""

    def __init__(self, filters: int, *, rngs: nnx.Rngs) -> None:
        self.norm1 = NormRelu(filters)
        self.conv1 = Convolution(filters, filters, rngs=rngs)
        self.norm2 = NormRelu(filters)
        self.conv2 = Convolution(filters, filters, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Maps `[F, H, W, B]` to the same shape."""
        return x + self.conv2(self.norm2(self.conv1(self.norm1(x))))


class SquareFeatures(nnx.Module):
    """A dense layer at each square: a 1x1 convolution with bias."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        initialize = orthogonal(math.sqrt(2.0))
        self.kernel = nnx.Param(initialize(rngs.params(), (inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: Array) -> Array:
        """Maps `[C, H, W, B]` to `[F, H, W, B]`."""
        return jnp.tensordot(self.kernel[...], x, axes=(0, 0)) + self.bias[...].reshape(-1, 1, 1, 1)


class ResNetModule(nnx.Module):
    """A 3x3 stem, residual blocks, and two heads.

    The policy sees each square through `POLICY_FILTERS` features, and the board as a whole by
    the mean and the maximum of every filter; the value sees the latter (global pooling: Wu
    2019, section 3.3; https://arxiv.org/abs/1902.10565).
    """

    def __init__(
        self,
        *,
        observation_shape: tuple[int, int, int],
        num_filters: int,
        num_blocks: int,
        num_actions: int,
        rngs: nnx.Rngs,
    ) -> None:
        height, width, channels = observation_shape
        self.tile = tile_rows(observation_shape)
        self.stem = Convolution(channels, num_filters, rngs=rngs)
        self.blocks = nnx.List([Block(num_filters, rngs=rngs) for _ in range(num_blocks)])
        self.norm = NormRelu(num_filters)
        self.policy_squares = SquareFeatures(num_filters, POLICY_FILTERS, rngs=rngs)
        policy_inputs = height * width * POLICY_FILTERS + 2 * num_filters
        self.policy = dense(policy_inputs, num_actions, gain=0.01, rngs=rngs)
        self.value_hidden = dense(2 * num_filters, VALUE_WIDTH, gain=math.sqrt(2.0), rngs=rngs)
        self.value = dense(VALUE_WIDTH, 1, gain=1.0, rngs=rngs)

    def __call__(self, observation: Array) -> tuple[Array, Array]:
        """Maps observations `[B, H, W, C] float32` to logits `[B, A]` and values `[B]`."""
        return over_tiles(self.evaluate, observation, tile=self.tile)

    def evaluate(self, observation: Array) -> tuple[Array, Array]:
        """Does the work of a call, for one tile of the batch."""
        x = self.stem(observation.transpose(3, 1, 2, 0))
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        pooled = _pool(x).T
        squares = jax.nn.relu(self.policy_squares(x)).reshape(-1, pooled.shape[0]).T
        features = jnp.concatenate([squares, pooled], axis=1)
        hidden = jax.nn.relu(self.value_hidden(pooled))
        return self.policy(features), self.value(hidden)[:, 0]


def _pool(x: Array) -> Array:
    """Takes the mean and the maximum of each filter: `[F, H, W, B]` to `[2 * F, B]`."""
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    # The gradient of `x.max` asks which x equal the maximum; XLA may compute x anew for that,
    # rounded otherwise, and find the wrong one or none. An index is found once.
    square = lax.broadcasted_iota(jnp.int32, x.shape, 1)
    where = square == lax.stop_gradient(x).argmax(axis=1, keepdims=True)
    return jnp.concatenate([x.mean(axis=1), jnp.where(where, x, 0).sum(axis=1)])


def tile_rows(observation_shape: tuple[int, ...]) -> int:
    """Returns how many rows of a batch the network evaluates at a time on CPU."""
    height, width, _ = observation_shape
    return max(16, TILE_POSITIONS // (height * width) // 16 * 16)


def build(config: "ResNet", *, observation_shape: tuple[int, ...], num_actions: int) -> Network:
    """Builds the network of a `kind = "resnet"` model.

    Raises:
        ValueError: An observation is not `[H, W, C]`.
    """
    match observation_shape:
        case (height, width, channels):
            image_shape = height, width, channels
        case _:
            raise ValueError(
                f"a resnet needs observations [height, width, channels]; got {observation_shape}"
            )

    def make(rngs: nnx.Rngs) -> ResNetModule:
        return ResNetModule(
            observation_shape=image_shape,
            num_filters=config.num_filters,
            num_blocks=config.num_blocks,
            num_actions=num_actions,
            rngs=rngs,
        )

    return from_module(make, observation_shape=observation_shape, num_actions=num_actions)
