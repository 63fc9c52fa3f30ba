"""A network over a board: a trunk of convolutions, and globally pooled heads.

Axis letters: F filters, H height, W width, C channels, B batch, A actions.
"""

import math
from abc import abstractmethod

import jax
from flax import nnx
from jax import Array

from jaxpot.models.base import Outputs, Training
from jaxpot.models.board_layers import SquareFeatures, tile_rows
from jaxpot.models.board_reading import SQUARE_FILTERS, num_read, read_board
from jaxpot.models.dense import dense
from jaxpot.models.dropout import drop
from jaxpot.models.feature_heads import Options, bounded
from jaxpot.models.tiling import over_tiles

VALUE_WIDTH = 64


class BoardNetwork(nnx.Module):
    """The two heads, as layers of the module that is derived from it and has the trunk.

    The policy sees each square through a few features, and the board as a whole by the mean and
    the maximum of every filter; the value sees the latter.
    """

    def __init__(
        self,
        board: tuple[int, int, int],
        num_filters: int,
        *,
        num_actions: int,
        options: Options,
        rngs: nnx.Rngs,
    ) -> None:
        self.tile = tile_rows(board)
        self.value_head = options.value_head
        self.dropout = options.dropout
        self.policy_squares = SquareFeatures(num_filters, SQUARE_FILTERS, rngs=rngs)
        self.policy = dense(num_read(board, num_filters), num_actions, gain=0.01, rngs=rngs)
        self.value_hidden = dense(2 * num_filters, VALUE_WIDTH, gain=math.sqrt(2.0), rngs=rngs)
        self.value = dense(VALUE_WIDTH, 1, gain=1.0, rngs=rngs)

    @abstractmethod
    def trunk(self, observation: Array) -> Array:
        """Maps observations `[B, H, W, C] float32` to `[F, H, W, B]`, each row by itself."""

    def __call__(self, observation: Array, *, training: Training | None = None) -> Outputs:
        """Maps observations `[B, H, W, C] float32` to logits `[B, A]` and values `[B]`."""
        if training is None:
            return over_tiles(self.evaluate, observation, tile=self.tile)
        # Dropout draws for the whole batch, so the heads are no part of a tile's work.
        features, pooled = over_tiles(self.read, observation, tile=self.tile)
        return self.heads(features, pooled, training)

    def evaluate(self, observation: Array) -> Outputs:
        """Does the work of a call in play, for one tile of the batch."""
        features, pooled = self.read(observation)
        return self.heads(features, pooled, None)

    def read(self, observation: Array) -> tuple[Array, Array]:
        """Maps observations to what the policy reads and what the value reads."""
        return read_board(self.policy_squares, self.trunk(observation))

    def heads(self, features: Array, pooled: Array, training: Training | None) -> Outputs:
        """Maps what `read` gives to logits `[B, A]` and values `[B]`."""
        features = drop(features, self.dropout, training)
        hidden = jax.nn.relu(self.value_hidden(drop(pooled, self.dropout, training)))
        value = bounded(self.value(hidden)[:, 0], self.value_head)
        return Outputs(self.policy(features), value, features)
