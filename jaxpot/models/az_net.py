"""The network of AlphaGo Zero: residual blocks and heads with batch normalisation.

Axis letters: F filters, H height, W width, C channels, B batch, A actions.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array, lax

from jaxpot.models.base import Observation, ObservationShape, Outputs, Training
from jaxpot.models.board import BoardTrunk, Convolution, flat_squares, planes
from jaxpot.models.cpu import column
from jaxpot.models.layers import dense, drop
from jaxpot.models.trunk import Options, bounded, build_network
from jaxpot.spec.configs.models import AZNet

POLICY_FILTERS = 2
VALUE_FILTERS = 1
VALUE_WIDTH = 256
EPSILON = 1e-5
DECAY = 0.9
"""The share of the running statistics that a training step keeps."""


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
        """Map `[C, H, W, B]` to the same shape."""
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
        normal = (wide - column(mean)) * column(scale) + column(self.bias[...])
        return normal.astype(x.dtype)


def statistics(x: Array, rows: Array) -> tuple[Array, Array]:
    """Compute the mean and the (biased) variance of each channel over the rows that count.

    Args:
        x: `[C, H, W, B] float32`.
        rows: `[B]` bool. If none counts, mean and variance are zero.

    Returns:
        Twice `[C]`.
    """
    counts = jnp.broadcast_to(rows.reshape(1, 1, 1, -1), x.shape)
    number = jnp.maximum(rows.sum() * (x.shape[1] * x.shape[2]), 1).astype(x.dtype)

    def mean_of(x: Array) -> Array:
        return jnp.where(counts, x, 0.0).sum(axis=(1, 2, 3)) / number

    mean = mean_of(x)
    return mean, mean_of(jnp.square(x - column(mean)))


class ConvNormRelu(nnx.Module):
    """A convolution, batch normalisation, a ReLU."""

    def __init__(self, inputs: int, outputs: int, *, window: int = 3, rngs: nnx.Rngs) -> None:
        self.conv = Convolution(inputs, outputs, window=window, rngs=rngs)
        self.norm = BatchNorm(outputs)

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Map `[C, H, W, B]` to `[F, H, W, B]`."""
        return jax.nn.relu(self.norm(self.conv(x), training))


class NormReluConv(nnx.Module):
    """Batch normalisation, a ReLU, a convolution."""

    def __init__(self, filters: int, *, rngs: nnx.Rngs) -> None:
        self.norm = BatchNorm(filters)
        self.conv = Convolution(filters, filters, rngs=rngs)

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Map `[F, H, W, B]` to the same shape."""
        return self.conv(jax.nn.relu(self.norm(x, training)))


class BlockV1(nnx.Module):
    """A post-activation residual block (He et al. 2015, https://arxiv.org/abs/1512.03385)."""

    def __init__(self, filters: int, *, rngs: nnx.Rngs) -> None:
        self.first = ConvNormRelu(filters, filters, rngs=rngs)
        self.conv = Convolution(filters, filters, rngs=rngs)
        self.norm = BatchNorm(filters)

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Map `[F, H, W, B]` to the same shape."""
        y = self.norm(self.conv(self.first(x, training)), training)
        return jax.nn.relu(x + y)


class BlockV2(nnx.Module):
    """A pre-activation residual block (He et al. 2016, https://arxiv.org/abs/1603.05027)."""

    def __init__(self, filters: int, *, rngs: nnx.Rngs) -> None:
        self.first = NormReluConv(filters, rngs=rngs)
        self.second = NormReluConv(filters, rngs=rngs)

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Map `[F, H, W, B]` to the same shape."""
        return x + self.second(self.first(x, training), training)


class TrunkV1(nnx.Module):
    """A stem that ends with a ReLU, as every block of version 1 does."""

    def __init__(self, config: AZNet, *, channels: int, rngs: nnx.Rngs) -> None:
        filters = config.num_filters
        self.stem = ConvNormRelu(channels, filters, rngs=rngs)
        self.blocks = nnx.List([BlockV1(filters, rngs=rngs) for _ in range(config.num_blocks)])

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Map `[C, H, W, B]` to `[F, H, W, B]`."""
        x = self.stem(x, training)
        for block in self.blocks:
            x = block(x, training)
        return x


class TrunkV2(nnx.Module):
    """A bare stem, blocks of version 2, and a normalisation and ReLU after the last."""

    def __init__(self, config: AZNet, *, channels: int, rngs: nnx.Rngs) -> None:
        filters = config.num_filters
        self.stem = Convolution(channels, filters, rngs=rngs)
        self.blocks = nnx.List([BlockV2(filters, rngs=rngs) for _ in range(config.num_blocks)])
        self.norm = BatchNorm(filters)

    def __call__(self, x: Array, training: Training | None) -> Array:
        """Map `[C, H, W, B]` to `[F, H, W, B]`."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, training)
        return jax.nn.relu(self.norm(x, training))


TRUNKS = {"v1": TrunkV1, "v2": TrunkV2}


class AZNetModule(BoardTrunk):
    """The trunk and, without memory, a 1x1 convolution of a few filters before each head.

    Those heads are the ones of Silver et al. 2017, "Neural network architecture", in Methods
    (https://doi.org/10.1038/nature24270); `value_head` chooses the value's tanh.
    """

    batch_statistics = True

    def __init__(
        self, config: AZNet, *, observation_shape: ObservationShape, rngs: nnx.Rngs
    ) -> None:
        super().__init__(config, observation_shape=observation_shape, rngs=rngs)
        self.dtype = config.dtype
        self.trunk = TRUNKS[config.version](config, channels=self.board[2], rngs=rngs)

    def filters(self, observation: Array, training: Training | None) -> Array:
        """Map observations `[B, H, W, C] float32` to `[F, H, W, B]`."""
        return self.trunk(planes(observation, self.dtype), training)

    def become_network(self, *, num_actions: int, options: Options, rngs: nnx.Rngs) -> None:
        """Add the two heads."""
        height, width, _ = self.board
        squares, filters = height * width, self.num_filters
        self.value_head = options.value_head
        self.dropout = options.dropout
        self.policy_squares = ConvNormRelu(filters, POLICY_FILTERS, window=1, rngs=rngs)
        self.policy = dense(POLICY_FILTERS * squares, num_actions, gain=0.01, rngs=rngs)
        self.value_squares = ConvNormRelu(filters, VALUE_FILTERS, window=1, rngs=rngs)
        value_inputs = VALUE_FILTERS * squares
        self.value_hidden = dense(value_inputs, VALUE_WIDTH, gain=math.sqrt(2.0), rngs=rngs)
        self.value = dense(VALUE_WIDTH, 1, gain=1.0, rngs=rngs)

    def __call__(self, observation: Observation, *, training: Training | None = None) -> Outputs:
        """Map observations `[B, H, W, C] float32` to logits `[B, A]` and values `[B]`."""

        def evaluate(observation: Array) -> Outputs:
            x = self.filters(observation, training)
            squares = self.policy_squares(x, training), self.value_squares(x, training)
            policy, value = (
                drop(flat_squares(part).astype(jnp.float32), self.dropout, training)
                for part in squares
            )
            hidden = jax.nn.relu(self.value_hidden(value))
            return Outputs(
                self.policy(policy),
                bounded(self.value(hidden)[:, 0], self.value_head),
                jnp.concatenate([policy, value], axis=1),
            )

        return self.by_tiles(evaluate, observation, training)


build = partial(build_network, AZNetModule)
