"""A residual network with long short-term memory behind it.

Axis letters: B batch, H height, W width, C channels, E what the cell is given.
"""

import math
from typing import TYPE_CHECKING

import jax
from flax import nnx
from jax import Array

from jaxpot.models.base import Network, ObservationShape
from jaxpot.models.board_layers import SquareFeatures, tile_rows
from jaxpot.models.board_reading import SQUARE_FILTERS, num_read, read_board
from jaxpot.models.cells import LSTMCell
from jaxpot.models.dense import dense
from jaxpot.models.observations import board_shape
from jaxpot.models.recurrent import recurrent_network
from jaxpot.models.resnet import ResNetTrunk
from jaxpot.models.tiling import over_tiles

if TYPE_CHECKING:
    from jaxpot.spec import ResNetLSTM


class ResNetEncoder(ResNetTrunk):
    """A residual trunk, what is read off its filters, and a dense layer as wide as the cell."""

    def __init__(
        self, config: "ResNetLSTM", *, board: tuple[int, int, int], rngs: nnx.Rngs
    ) -> None:
        super().__init__(config, channels=board[2], rngs=rngs)
        self.tile = tile_rows(board)
        self.num_features = config.hidden_size
        self.squares = SquareFeatures(config.num_filters, SQUARE_FILTERS, rngs=rngs)
        self.out = dense(
            num_read(board, config.num_filters),
            self.num_features,
            gain=math.sqrt(2.0),
            dtype=config.dtype,
            rngs=rngs,
        )

    def encode(self, observation: Array) -> Array:
        """Maps observations `[B, H, W, C] float32` to `[B, E]`."""
        return over_tiles(self.evaluate, observation, tile=self.tile)

    def evaluate(self, observation: Array) -> Array:
        """Does the work of `encode`, for one tile of the batch."""
        features, _ = read_board(self.squares, self.trunk(observation))
        return jax.nn.relu(self.out(features))


def build(
    config: "ResNetLSTM", *, observation_shape: ObservationShape, num_actions: int
) -> Network:
    """Builds the network of a `kind = "resnet_lstm"` model.

    Raises:
        UserError: An observation is not `[H, W, C]`.
    """
    board = board_shape(observation_shape, model="a resnet_lstm")
    return recurrent_network(
        lambda rngs: ResNetEncoder(config, board=board, rngs=rngs),
        LSTMCell,
        options=config,
        observation_shape=observation_shape,
        num_actions=num_actions,
    )
