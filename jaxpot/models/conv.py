"""The plain convolutional network.

Axis letters: F filters, H height, W width, C channels, B batch.
"""

from flax import nnx
from jax import Array

from jaxpot.models.base import Network, ObservationShape, Training
from jaxpot.models.board import BiasedConvolution, BoardTrunk, planes
from jaxpot.models.layers import ACTIVATIONS
from jaxpot.models.trunk import build_network
from jaxpot.spec.configs.models import Conv


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


def build(config: Conv, *, observation_shape: ObservationShape, num_actions: int) -> Network:
    """Build the network of a `kind = "conv"` model.

    Raises:
        UserError: An observation is not `[H, W, C]`.
    """
    return build_network(
        ConvModule, config, observation_shape=observation_shape, num_actions=num_actions
    )
