"""Networks over a board: convolutional layers, what is read off their filters, and the heads.

Arrays are channels first, batch last; `jaxpot.models.cpu` says why. A layer computes in
the dtype of its input; parameters are float32.

Axis letters: C channels, F filters, H height, W width, B batch, A actions, E features, P
`SQUARE_FILTERS`.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array, lax

from jaxpot.errors import UserError
from jaxpot.models.base import Observation, ObservationShape, Outputs, Training
from jaxpot.models.cpu import column, convolution, normalize_relu, over_tiles
from jaxpot.models.layers import dense, drop, orthogonal
from jaxpot.models.trunk import Options, Trunk, bounded
from jaxpot.spec.configs.models import AZNet, Conv, Memory, ResNet

# Positions (H * W * B) in a tile: 64 filters of this many fit a core's second-level cache.
TILE_POSITIONS = 3072
SQUARE_FILTERS = 4
VALUE_WIDTH = 64


class Convolution(nnx.Module):
    """A square convolution without bias (a normalisation or a skip connection follows)."""

    def __init__(self, inputs: int, outputs: int, *, window: int = 3, rngs: nnx.Rngs) -> None:
        initialize = nnx.initializers.he_normal()
        self.kernel = nnx.Param(initialize(rngs.params(), (window, window, inputs, outputs)))

    def __call__(self, x: Array) -> Array:
        """Map `[C, H, W, B]` to `[F, H, W, B]`."""
        return convolution(x, self.kernel[...].astype(x.dtype))


class BiasedConvolution(Convolution):
    """A convolution with a bias, for networks that do not normalise."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        super().__init__(inputs, outputs, rngs=rngs)
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: Array) -> Array:
        """Map `[C, H, W, B]` to `[F, H, W, B]`."""
        return super().__call__(x) + column(self.bias[...].astype(x.dtype))


class NormRelu(nnx.Module):
    """LayerNorm over channels, in float32, then a ReLU."""

    def __init__(self, channels: int) -> None:
        self.scale = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))

    def __call__(self, x: Array) -> Array:
        """Map `[C, H, W, B]` to the same shape."""
        normal = normalize_relu(x.astype(jnp.float32), self.scale[...], self.bias[...])
        return normal.astype(x.dtype)


class SquareFeatures(nnx.Module):
    """A dense layer at each square: a 1x1 convolution with bias."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        initialize = orthogonal(math.sqrt(2.0))
        self.kernel = nnx.Param(initialize(rngs.params(), (inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: Array) -> Array:
        """Map `[C, H, W, B]` to `[F, H, W, B]`."""
        kernel, bias = self.kernel[...].astype(x.dtype), self.bias[...].astype(x.dtype)
        return jnp.tensordot(kernel, x, axes=(0, 0)) + column(bias)


class BoardTrunk(Trunk):
    """Base of the trunks that compute filters over a board, with globally pooled heads.

    The policy reads a few features of each square, and the mean and the maximum of every filter
    over the board; the value reads only the latter. A memory cell reads what the policy reads,
    through one dense layer as wide as the cell.
    """

    def __init__(
        self, config: Conv | ResNet | AZNet, *, observation_shape: ObservationShape, rngs: nnx.Rngs
    ) -> None:
        del rngs  # the derived class makes the layers
        self.board = board_shape(observation_shape, kind=config.kind)
        self.num_filters = config.num_filters
        self.tile = tile_rows(self.board)

    @abstractmethod
    def filters(self, observation: Array, training: Training | None) -> Array:
        """Map observations `[B, H, W, C] float32` to `[F, H, W, B]`."""

    def become_network(self, *, num_actions: int, options: Options, rngs: nnx.Rngs) -> None:
        """Add the two heads."""
        self.value_head = options.value_head
        self.dropout = options.dropout
        self.policy_squares = SquareFeatures(self.num_filters, SQUARE_FILTERS, rngs=rngs)
        self.policy = dense(self._num_read(), num_actions, gain=0.01, rngs=rngs)
        pooled = 2 * self.num_filters
        self.value_hidden = dense(pooled, VALUE_WIDTH, gain=math.sqrt(2.0), rngs=rngs)
        self.value = dense(VALUE_WIDTH, 1, gain=1.0, rngs=rngs)

    def become_encoder(self, memory: Memory, *, dtype: str, rngs: nnx.Rngs) -> None:
        """Add the dense layer that a memory cell reads the board through."""
        self.num_features = memory.hidden_size
        self.squares = SquareFeatures(self.num_filters, SQUARE_FILTERS, rngs=rngs)
        gain = math.sqrt(2.0)
        self.out = dense(self._num_read(), self.num_features, gain=gain, dtype=dtype, rngs=rngs)

    def encode(self, observation: Observation, *, training: Training | None = None) -> Array:
        """Map observations `[B, H, W, C] float32` to `[B, E]`, as the input of a memory cell."""

        def encode(observation: Array) -> Array:
            features, _ = read_board(self.squares, self.filters(observation, training))
            return jax.nn.relu(self.out(features))

        return self.by_tiles(encode, observation, training)

    def __call__(self, observation: Observation, *, training: Training | None = None) -> Outputs:
        """Map observations `[B, H, W, C] float32` to logits `[B, A]` and values `[B]`."""

        def read(observation: Array) -> tuple[Array, Array]:
            return read_board(self.policy_squares, self.filters(observation, training))

        def evaluate(observation: Array) -> Outputs:
            return self.pooled_heads(*read(observation), training=None)

        if training is None:
            return self.by_tiles(evaluate, observation, None)
        # Dropout draws for the whole batch, so the heads are not part of a tile's work.
        return self.pooled_heads(*self.by_tiles(read, observation, training), training=training)

    def pooled_heads(self, features: Array, pooled: Array, *, training: Training | None) -> Outputs:
        """Map what `read_board` returns to logits `[B, A]` and values `[B]`."""
        features = drop(features, self.dropout, training)
        hidden = jax.nn.relu(self.value_hidden(drop(pooled, self.dropout, training)))
        value = bounded(self.value(hidden)[:, 0], self.value_head)
        return Outputs(self.policy(features), value, features)

    def by_tiles(
        self, function: Callable[[Array], Any], observation: Array, training: Training | None
    ) -> Any:
        """Apply a function of a batch to tiles of it, or to all of it where it mixes rows."""
        if training is not None and self.batch_statistics:
            return function(observation)
        return over_tiles(function, observation, tile=self.tile)

    def _num_read(self) -> int:
        height, width, _ = self.board
        return height * width * SQUARE_FILTERS + 2 * self.num_filters


def read_board(squares: SquareFeatures, x: Array) -> tuple[Array, Array]:
    """Read features off the filters `[F, H, W, B]`.

    Returns:
        The features of all squares followed by the pooled ones, `[B, H * W * P + 2 * F]`, and the
        pooled ones alone: mean and maximum of every filter, `[B, 2 * F]` (global pooling: Wu 2019,
        section 3.3; https://arxiv.org/abs/1902.10565). Both are float32.
    """
    pooled = pool(x).T.astype(jnp.float32)
    flat = flat_squares(jax.nn.relu(squares(x))).astype(jnp.float32)
    return jnp.concatenate([flat, pooled], axis=1), pooled


def pool(x: Array) -> Array:
    """Take the mean and the maximum of each filter: `[F, H, W, B]` to `[2 * F, B]`."""
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    # The gradient of `x.max` compares x with the maximum. XLA may recompute x for that, rounded
    # differently, and match the wrong square or none. An index is computed once.
    square = lax.broadcasted_iota(jnp.int32, x.shape, 1)
    where = square == lax.stop_gradient(x).argmax(axis=1, keepdims=True)
    return jnp.concatenate([x.mean(axis=1), jnp.where(where, x, 0).sum(axis=1)])


def flat_squares(x: Array) -> Array:
    """Put the squares of all filters in one row: `[F, H, W, B]` to `[B, F * H * W]`."""
    return x.reshape(-1, x.shape[-1]).T


def board_shape(observation_shape: ObservationShape, *, kind: str) -> tuple[int, int, int]:
    """Return the shape of a board's planes, `[H, W, C]`.

    Raises:
        UserError: The observation of the model of this `kind` has another shape.
    """
    match observation_shape:
        case (int(height), int(width), int(channels)):
            return height, width, channels
    raise UserError(f"{kind} needs observations [height, width, channels]; got {observation_shape}")


def planes(observation: Array, dtype: str) -> Array:
    """Transpose `[B, H, W, C]` to `[C, H, W, B]`, of the given dtype."""
    return observation.transpose(3, 1, 2, 0).astype(dtype)


def tile_rows(board: tuple[int, int, int]) -> int:
    """Return how many rows of a batch a network evaluates at a time on CPU."""
    height, width, _ = board
    return max(16, TILE_POSITIONS // (height * width) // 16 * 16)
