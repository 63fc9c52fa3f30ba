"""The residual perceptron: feed-forward blocks that add to a row of features."""

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
from jaxpot.models.dense import dense
from jaxpot.models.feature_heads import FeatureHeads
from jaxpot.models.feed_forward import FeedForward, layer_norm
from jaxpot.models.observations import flat_size, flatten

if TYPE_CHECKING:
    from jaxpot.spec import ResidualMLP


class ResidualMLPModule(FeatureHeads):
    """Flattened observation -> a dense layer -> residual blocks -> LayerNorm -> heads."""

    def __init__(
        self,
        config: "ResidualMLP",
        *,
        observation_shape: ObservationShape,
        num_actions: int,
        rngs: nnx.Rngs,
    ) -> None:
        width, dtype = config.width, config.dtype
        self.embed = dense(flat_size(observation_shape), width, gain=1.0, dtype=dtype, rngs=rngs)
        self.blocks = nnx.List(
            [
                FeedForward(width, activation=config.activation, dtype=dtype, rngs=rngs)
                for _ in range(config.num_blocks)
            ]
        )
        self.norm = layer_norm(width, dtype=dtype, rngs=rngs)
        super().__init__(width, num_actions=num_actions, options=config, rngs=rngs)

    def __call__(self, observation: Observation, *, training: Training | None = None) -> Outputs:
        """Maps observations `[B, ...] float32` to logits `[B, A]` and values `[B]`."""
        features = self.embed(flatten(observation))
        for block in self.blocks:
            features = block(features)
        return self.heads(self.norm(features), training)


def build(
    config: "ResidualMLP", *, observation_shape: ObservationShape, num_actions: int
) -> Network:
    """Builds the network of a `kind = "residual_mlp"` model."""
    return from_module(
        lambda rngs: ResidualMLPModule(
            config, observation_shape=observation_shape, num_actions=num_actions, rngs=rngs
        ),
        observation_shape=observation_shape,
        num_actions=num_actions,
        trains=config.dropout > 0,
    )
