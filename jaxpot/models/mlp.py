"""Perceptrons, plain and residual, on an observation of any shape.

Axis letters: B batch, E features.
"""

import itertools
import math
from functools import partial

from flax import nnx
from jax import Array

from jaxpot.models.base import Observation, ObservationShape, Training
from jaxpot.models.layers import ACTIVATIONS, FeedForward, dense, flat_size, flatten, layer_norm
from jaxpot.models.trunk import Trunk, build_network
from jaxpot.spec.configs.models import MLP, ResidualMLP


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


build_mlp = partial(build_network, MLPModule)
build_residual_mlp = partial(build_network, ResidualMLPModule)
