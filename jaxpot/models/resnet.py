"""The residual network: pre-activation blocks, with LayerNorm or without, and pooled heads.

Axis letters: F filters, H height, W width, C channels, B batch.
"""

from typing import TYPE_CHECKING

from flax import nnx
from jax import Array

from jaxpot.models.base import Network, ObservationShape, from_module
from jaxpot.models.board_layers import Convolution, NormRelu, Relu
from jaxpot.models.board_network import BoardNetwork
from jaxpot.models.observations import board_shape, planes

if TYPE_CHECKING:
    from jaxpot.spec import ResNet, ResNetLSTM


class Block(nnx.Module):
    """A pre-activation residual block (He et al. 2016, https://arxiv.org/abs/1603.05027)."""

    def __init__(self, filters: int, *, norm: str, rngs: nnx.Rngs) -> None:
        self.norm1 = _norm(norm, filters)
        self.conv1 = Convolution(filters, filters, rngs=rngs)
        self.norm2 = _norm(norm, filters)
        self.conv2 = Convolution(filters, filters, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Maps `[F, H, W, B]` to the same shape."""
        return x + self.conv2(self.norm2(self.conv1(self.norm1(x))))


class ResNetTrunk(nnx.Module):
    """A 3x3 stem, residual blocks, and what ends them."""

    def __init__(self, config: "ResNet | ResNetLSTM", *, channels: int, rngs: nnx.Rngs) -> None:
        filters = config.num_filters
        self.dtype = config.dtype
        self.stem = Convolution(channels, filters, rngs=rngs)
        self.blocks = nnx.List(
            [Block(filters, norm=config.norm, rngs=rngs) for _ in range(config.num_blocks)]
        )
        self.norm = _norm(config.norm, filters)

    def trunk(self, observation: Array) -> Array:
        """Maps observations `[B, H, W, C] float32` to `[F, H, W, B]`, each row by itself."""
        x = self.stem(planes(observation, self.dtype))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class ResNetModule(ResNetTrunk, BoardNetwork):
    """The trunk with globally pooled heads."""

    def __init__(
        self,
        config: "ResNet",
        *,
        board: tuple[int, int, int],
        num_actions: int,
        rngs: nnx.Rngs,
    ) -> None:
        ResNetTrunk.__init__(self, config, channels=board[2], rngs=rngs)
        BoardNetwork.__init__(
            self, board, config.num_filters, num_actions=num_actions, options=config, rngs=rngs
        )


def _norm(norm: str, channels: int) -> NormRelu | Relu:
    return NormRelu(channels) if norm == "layer" else Relu()


def build(config: "ResNet", *, observation_shape: ObservationShape, num_actions: int) -> Network:
    """Builds the network of a `kind = "resnet"` model.

    Raises:
        UserError: An observation is not `[H, W, C]`.
    """
    board = board_shape(observation_shape, model="a resnet")
    return from_module(
        lambda rngs: ResNetModule(config, board=board, num_actions=num_actions, rngs=rngs),
        observation_shape=observation_shape,
        num_actions=num_actions,
        trains=config.dropout > 0,
    )
