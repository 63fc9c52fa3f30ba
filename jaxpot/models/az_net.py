"""The network of AlphaGo Zero: residual blocks and heads with batch normalisation.

Axis letters: F filters, H height, W width, C channels, B batch, A actions.
"""

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.base import Network, ObservationShape, Outputs, Training, from_module
from jaxpot.models.batch_norm import BatchNorm
from jaxpot.models.board_layers import Convolution, flat_squares, tile_rows
from jaxpot.models.dense import dense
from jaxpot.models.dropout import drop
from jaxpot.models.feature_heads import bounded
from jaxpot.models.observations import board_shape, planes
from jaxpot.models.tiling import over_tiles

if TYPE_CHECKING:
    from jaxpot.spec import AZNet

POLICY_FILTERS = 2
VALUE_FILTERS = 1
VALUE_WIDTH = 256


class ConvNormRelu(nnx.Module):
    """A convolution, batch normalisation, a ReLU."""

    def __init__(self, inputs: int, outputs: int, *, window: int = 3, rngs: nnx.Rngs) -> None:
        self.conv = Convolution(inputs, outputs, window=window, rngs=rngs)
        self.norm = BatchNorm(outputs)

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Maps `[C, H, W, B]` to `[F, H, W, B]`."""
        return jax.nn.relu(self.norm(self.conv(x), training))


class NormReluConv(nnx.Module):
    """Batch normalisation, a ReLU, a convolution."""

    def __init__(self, filters: int, *, rngs: nnx.Rngs) -> None:
        self.norm = BatchNorm(filters)
        self.conv = Convolution(filters, filters, rngs=rngs)

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Maps `[F, H, W, B]` to the same shape."""
        return self.conv(jax.nn.relu(self.norm(x, training)))


class BlockV1(nnx.Module):
    """A post-activation residual block (He et al. 2015, https://arxiv.org/abs/1512.03385)."""

    def __init__(self, filters: int, *, rngs: nnx.Rngs) -> None:
        self.first = ConvNormRelu(filters, filters, rngs=rngs)
        self.conv = Convolution(filters, filters, rngs=rngs)
        self.norm = BatchNorm(filters)

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Maps `[F, H, W, B]` to the same shape."""
        y = self.norm(self.conv(self.first(x, training)), training)
        return jax.nn.relu(x + y)


class BlockV2(nnx.Module):
    """A pre-activation residual block (He et al. 2016, https://arxiv.org/abs/1603.05027)."""

    def __init__(self, filters: int, *, rngs: nnx.Rngs) -> None:
        self.first = NormReluConv(filters, rngs=rngs)
        self.second = NormReluConv(filters, rngs=rngs)

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Maps `[F, H, W, B]` to the same shape."""
        return x + self.second(self.first(x, training), training)


class TrunkV1(nnx.Module):
    """A stem that ends with a ReLU, as every block of version 1 does."""

    def __init__(self, config: "AZNet", *, channels: int, rngs: nnx.Rngs) -> None:
        filters = config.num_filters
        self.stem = ConvNormRelu(channels, filters, rngs=rngs)
        self.blocks = nnx.List([BlockV1(filters, rngs=rngs) for _ in range(config.num_blocks)])

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Maps `[C, H, W, B]` to `[F, H, W, B]`."""
        x = self.stem(x, training)
        for block in self.blocks:
            x = block(x, training)
        return x


class TrunkV2(nnx.Module):
    """A bare stem, blocks of version 2, and a normalisation behind the last."""

    def __init__(self, config: "AZNet", *, channels: int, rngs: nnx.Rngs) -> None:
        filters = config.num_filters
        self.stem = Convolution(channels, filters, rngs=rngs)
        self.blocks = nnx.List([BlockV2(filters, rngs=rngs) for _ in range(config.num_blocks)])
        self.norm = BatchNorm(filters)

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Maps `[C, H, W, B]` to `[F, H, W, B]`."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, training)
        return jax.nn.relu(self.norm(x, training))


TRUNKS = {"v1": TrunkV1, "v2": TrunkV2}


class AZNetModule(nnx.Module):
    """The trunk, and before each head a 1x1 convolution of a few filters.

    The heads are those of Silver et al. 2017, "Neural network architecture", in Methods
    (https://doi.org/10.1038/nature24270), the value's tanh by `value_head`.
    """

    def __init__(
        self,
        config: "AZNet",
        *,
        board: tuple[int, int, int],
        num_actions: int,
        rngs: nnx.Rngs,
    ) -> None:
        height, width, channels = board
        squares, filters = height * width, config.num_filters
        self.tile = tile_rows(board)
        self.dtype = config.dtype
        self.value_head = config.value_head
        self.dropout = config.dropout
        self.trunk = TRUNKS[config.version](config, channels=channels, rngs=rngs)
        self.policy_squares = ConvNormRelu(filters, POLICY_FILTERS, window=1, rngs=rngs)
        self.policy = dense(POLICY_FILTERS * squares, num_actions, gain=0.01, rngs=rngs)
        self.value_squares = ConvNormRelu(filters, VALUE_FILTERS, window=1, rngs=rngs)
        value_inputs = VALUE_FILTERS * squares
        self.value_hidden = dense(value_inputs, VALUE_WIDTH, gain=math.sqrt(2.0), rngs=rngs)
        self.value = dense(VALUE_WIDTH, 1, gain=1.0, rngs=rngs)

    def __call__(self, observation: Array, *, training: Training | None = None) -> Outputs:
        """Maps observations `[B, H, W, C] float32` to logits `[B, A]` and values `[B]`."""
        if training is None:
            return over_tiles(lambda x: self.evaluate(x, None), observation, tile=self.tile)
        # The statistics are the whole batch's.
        return self.evaluate(observation, training)

    def evaluate(self, observation: Array, training: Training | None) -> Outputs:
        """Does the work of a call."""
        x = self.trunk(planes(observation, self.dtype), training)
        squares = self.policy_squares(x, training), self.value_squares(x, training)
        policy, value = (
            drop(flat_squares(part).astype(jnp.float32), self.dropout, training) for part in squares
        )
        hidden = jax.nn.relu(self.value_hidden(value))
        return Outputs(
            self.policy(policy),
            bounded(self.value(hidden)[:, 0], self.value_head),
            jnp.concatenate([policy, value], axis=1),
        )


def build(config: "AZNet", *, observation_shape: ObservationShape, num_actions: int) -> Network:
    """Builds the network of a `kind = "az_net"` model.

    Raises:
        UserError: An observation is not `[H, W, C]`.
    """
    board = board_shape(observation_shape, model="an az_net")
    return from_module(
        lambda rngs: AZNetModule(config, board=board, num_actions=num_actions, rngs=rngs),
        observation_shape=observation_shape,
        num_actions=num_actions,
        trains=True,
    )
