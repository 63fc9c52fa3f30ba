"""The residual perceptron, on an observation of any shape.

Axis letters: B batch, E features.
"""

from flax import nnx
from jax import Array

from jaxpot.models.base import Network, Observation, ObservationShape, Training
from jaxpot.models.layers import FeedForward, dense, flat_size, flatten, layer_norm
from jaxpot.models.trunk import Trunk, build_network
from jaxpot.spec.configs.models import ResidualMLP


class ResidualMLPModule(Trunk):
    """Flattened observation -> a dense layer -> residual blocks -> LayerNorm."""

    def __init__(
        self, config: ResidualMLP, *, observation_shape: ObservationShape, rngs: nnx.Rngs
    ) -> None:
        width, dtype = config.width, config.dtype
        self.num_features = width
        self.embed = dense(flat_size(observation_shape), width, gain=1.0, dtype=dtype, rngs=rngs)
        self.blocks = nnx.List(
            [
                FeedForward(width, activation=config.activation, dtype=dtype, rngs=rngs)
                for _ in range(config.num_blocks)
            ]
        )
        self.norm = layer_norm(width, dtype=dtype, rngs=rngs)

    def encode(self, observation: Observation, *, training: Training | None = None) -> Array:
        """Map observations `[B, ...] float32`, or a tree of them, to features `[B, E]`."""
        del training  # a block computes the same in training as in play
        features = self.embed(flatten(observation))
        for block in self.blocks:
            features = block(features)
        return self.norm(features)


def build(config: ResidualMLP, *, observation_shape: ObservationShape, num_actions: int) -> Network:
    """Build the network of a `kind = "residual_mlp"` model."""
    return build_network(
        ResidualMLPModule, config, observation_shape=observation_shape, num_actions=num_actions
    )
