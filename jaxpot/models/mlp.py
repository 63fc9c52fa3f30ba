"""The multilayer perceptron, on an observation of any shape.

Axis letters: B batch, E features.
"""

import itertools
import math

from flax import nnx
from jax import Array

from jaxpot.models.base import Network, Observation, ObservationShape, Training
from jaxpot.models.layers import ACTIVATIONS, dense, flat_size, flatten
from jaxpot.models.trunk import Trunk, build_network
from jaxpot.spec.configs.models import MLP


class MLPModule(Trunk):
    """Flattened observation -> hidden layers of gain sqrt(2)."""

    def __init__(self, config: MLP, *, observation_shape: ObservationShape, rngs: nnx.Rngs) -> None:
        widths = (flat_size(observation_shape), *config.hidden_dims)
        self.num_features = widths[-1]
        self.activation = ACTIVATIONS[config.activation]
        self.hidden = nnx.List(
            [
                dense(width_in, width_out, gain=math.sqrt(2.0), dtype=config.dtype, rngs=rngs)
                for width_in, width_out in itertools.pairwise(widths)
            ]
        )

    def encode(self, observation: Observation, *, training: Training | None = None) -> Array:
        """Map observations `[B, ...] float32`, or a tree of them, to features `[B, E]`."""
        del training  # a hidden layer computes the same in training as in play
        features = flatten(observation)
        for layer in self.hidden:
            features = self.activation(layer(features))
        return features


def build(config: MLP, *, observation_shape: ObservationShape, num_actions: int) -> Network:
    """Build the network of a `kind = "mlp"` model."""
    return build_network(
        MLPModule, config, observation_shape=observation_shape, num_actions=num_actions
    )
