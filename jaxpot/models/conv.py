"""The plain convolutional network: convolutions with a bias and a nonlinearity, pooled heads.

Axis letters: F filters, H height, W width, C channels, B batch.
"""

from typing import TYPE_CHECKING

from flax import nnx
from jax import Array

from jaxpot.models.base import Network, ObservationShape, from_module
from jaxpot.models.board_layers import BiasedConvolution
from jaxpot.models.board_network import BoardNetwork
from jaxpot.models.dense import ACTIVATIONS
from jaxpot.models.observations import board_shape, planes

if TYPE_CHECKING:
    from jaxpot.spec import Conv


class ConvModule(BoardNetwork):
    """3x3 convolutions, one behind the other, and globally pooled heads."""

    def __init__(
        self,
        config: "Conv",
        *,
        board: tuple[int, int, int],
        num_actions: int,
        rngs: nnx.Rngs,
    ) -> None:
        filters = config.num_filters
        self.dtype = config.dtype
        self.activation = ACTIVATIONS[config.activation]
        self.layers = nnx.List(
            [
                BiasedConvolution(filters if behind else board[2], filters, rngs=rngs)
                for behind in range(config.num_layers)
            ]
        )
        super().__init__(board, filters, num_actions=num_actions, options=config, rngs=rngs)

    def trunk(self, observation: Array) -> Array:
        """Maps observations `[B, H, W, C] float32` to `[F, H, W, B]`, each row by itself."""
        x = planes(observation, self.dtype)
        for layer in self.layers:
            x = self.activation(layer(x))
        return x


def build(config: "Conv", *, observation_shape: ObservationShape, num_actions: int) -> Network:
    """Builds the network of a `kind = "conv"` model.

    Raises:
        UserError: An observation is not `[H, W, C]`.
    """
    board = board_shape(observation_shape, model="a conv")
    return from_module(
        lambda rngs: ConvModule(config, board=board, num_actions=num_actions, rngs=rngs),
        observation_shape=observation_shape,
        num_actions=num_actions,
        trains=config.dropout > 0,
    )
