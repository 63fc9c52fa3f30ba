"""The hidden layers of a perceptron, on an observation of any shape.

Axis letters: B batch, F features.
"""

from flax import nnx
from jax import Array

from jaxpot.models.base import Observation, ObservationShape
from jaxpot.models.dense import ACTIVATIONS, hidden_layers
from jaxpot.models.observations import flat_size, flatten


class Perceptron(nnx.Module):
    """Flattened observation -> hidden layers."""

    def __init__(
        self,
        observation_shape: ObservationShape,
        *,
        hidden_dims: tuple[int, ...],
        activation: str,
        dtype: str,
        rngs: nnx.Rngs,
    ) -> None:
        widths = (flat_size(observation_shape), *hidden_dims)
        self.num_features = widths[-1]
        self.activation = ACTIVATIONS[activation]
        self.hidden = hidden_layers(widths[0], hidden_dims, dtype=dtype, rngs=rngs)

    def encode(self, observation: Observation) -> Array:
        """Maps observations `[B, ...] float32`, or a tree of them, to features `[B, F]`."""
        features = flatten(observation)
        for layer in self.hidden:
            features = self.activation(layer(features))
        return features
