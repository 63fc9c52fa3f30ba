"""The multilayer perceptron: a shared trunk with a policy head and a value head."""

from typing import TYPE_CHECKING

from flax import nnx

from jaxpot.models.base import (
    Network,
    Observation,
    ObservationShape,
    Outputs,
    Training,
    from_module,
)
from jaxpot.models.feature_heads import FeatureHeads
from jaxpot.models.perceptron import Perceptron

if TYPE_CHECKING:
    from jaxpot.spec import MLP


class MLPModule(Perceptron, FeatureHeads):
    """Flattened observation -> hidden layers -> policy and value heads."""

    def __init__(
        self,
        config: "MLP",
        *,
        observation_shape: ObservationShape,
        num_actions: int,
        rngs: nnx.Rngs,
    ) -> None:
        Perceptron.__init__(
            self,
            observation_shape,
            hidden_dims=config.hidden_dims,
            activation=config.activation,
            dtype=config.dtype,
            rngs=rngs,
        )
        FeatureHeads.__init__(
            self, self.num_features, num_actions=num_actions, options=config, rngs=rngs
        )

    def __call__(self, observation: Observation, *, training: Training | None = None) -> Outputs:
        """Maps observations `[B, ...] float32` to logits `[B, A]` and values `[B]`."""
        return self.heads(self.encode(observation), training)


def build(config: "MLP", *, observation_shape: ObservationShape, num_actions: int) -> Network:
    """Builds the network of a `kind = "mlp"` model."""
    return from_module(
        lambda rngs: MLPModule(
            config, observation_shape=observation_shape, num_actions=num_actions, rngs=rngs
        ),
        observation_shape=observation_shape,
        num_actions=num_actions,
        trains=config.dropout > 0,
    )
