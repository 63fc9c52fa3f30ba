"""Convolutional networks over a board: plain and residual.

Axis letters: F filters, H height, W width, C channels, B batch.
"""

from collections.abc import Callable
from functools import partial

import jax
from flax import nnx
from jax import Array

from jaxpot.models.base import ObservationShape, Training
from jaxpot.models.board import BiasedConvolution, BoardTrunk, Convolution, NormRelu, planes
from jaxpot.models.layers import ACTIVATIONS
from jaxpot.models.trunk import build_network
from jaxpot.spec.configs.models import Conv, ResNet


class ConvModule(BoardTrunk):
    """3x3 convolutions in a row, each with a bias and a nonlinearity."""

    def __init__(
        self, config: Conv, *, observation_shape: ObservationShape, rngs: nnx.Rngs
    ) -> None:
        super().__init__(config, observation_shape=observation_shape, rngs=rngs)
        self.dtype = config.dtype
        self.activation = ACTIVATIONS[config.activation]
        inputs = [self.board[2]] + [config.num_filters] * (config.num_layers - 1)
        self.layers = nnx.List(
            [BiasedConvolution(channels, config.num_filters, rngs=rngs) for channels in inputs]
        )

    def filters(self, observation: Array, training: Training | None) -> Array:
        """Map observations `[B, H, W, C] float32` to `[F, H, W, B]`, each row by itself."""
        del training  # a convolution computes the same in training as in play
        x = planes(observation, self.dtype)
        for layer in self.layers:
            x = self.activation(layer(x))
        return x


class Block(nnx.Module):
    """A pre-activation residual block (He et al. 2016, https://arxiv.org/abs/1603.05027)."""

    def __init__(self, filters: int, *, norm: str, rngs: nnx.Rngs) -> None:
        self.norm1 = _norm(norm, filters)
        self.conv1 = Convolution(filters, filters, rngs=rngs)
        self.norm2 = _norm(norm, filters)
        self.conv2 = Convolution(filters, filters, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Map `[F, H, W, B]` to the same shape."""
        return x + self.conv2(self.norm2(self.conv1(self.norm1(x))))


class ResNetModule(BoardTrunk):
    """A 3x3 stem, residual blocks, and the last block's normalisation and ReLU."""

    def __init__(
        self, config: ResNet, *, observation_shape: ObservationShape, rngs: nnx.Rngs
    ) -> None:
        filters = config.num_filters
        super().__init__(config, observation_shape=observation_shape, rngs=rngs)
        self.dtype = config.dtype
        self.stem = Convolution(self.board[2], filters, rngs=rngs)
        self.blocks = nnx.List(
            [Block(filters, norm=config.norm, rngs=rngs) for _ in range(config.num_blocks)]
        )
        self.norm = _norm(config.norm, filters)

    def filters(self, observation: Array, training: Training | None) -> Array:
        """Map observations `[B, H, W, C] float32` to `[F, H, W, B]`, each row by itself."""
        del training  # LayerNorm computes the same in training as in play
        x = self.stem(planes(observation, self.dtype))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


def _norm(norm: str, channels: int) -> Callable[[Array], Array]:
    return NormRelu(channels) if norm == "layer" else jax.nn.relu


build_conv = partial(build_network, ConvModule)
build_resnet = partial(build_network, ResNetModule)
