"""The transformer over a board's squares.

Axis letters: B batch, H height, W width, C channels, T tokens (`H * W`), D width.
"""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.attention import SelfAttention
from jaxpot.models.base import Network, ObservationShape, Outputs, Training, from_module
from jaxpot.models.dense import dense
from jaxpot.models.feature_heads import FeatureHeads
from jaxpot.models.feed_forward import FeedForward, layer_norm
from jaxpot.models.observations import board_shape

if TYPE_CHECKING:
    from jaxpot.spec import Transformer, TransformerLSTM

POSITION_SCALE = 0.02


class Block(nnx.Module):
    """Attention and a feed-forward layer, each normalised first and added to what came in."""

    def __init__(self, config: "Transformer | TransformerLSTM", *, rngs: nnx.Rngs) -> None:
        width, dtype = config.num_heads * config.head_dim, config.dtype
        self.norm = layer_norm(width, dtype=dtype, rngs=rngs)
        self.attention = SelfAttention(config.num_heads, config.head_dim, dtype=dtype, rngs=rngs)
        self.feed_forward = FeedForward(width, activation=config.activation, dtype=dtype, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Maps `[B, T, D]` to the same shape."""
        return self.feed_forward(x + self.attention(self.norm(x)))


class TransformerTrunk(nnx.Module):
    """One token a square with a learned position -> blocks -> LayerNorm -> mean over squares."""

    def __init__(
        self,
        config: "Transformer | TransformerLSTM",
        *,
        board: tuple[int, int, int],
        rngs: nnx.Rngs,
    ) -> None:
        height, width, channels = board
        self.num_features = config.num_heads * config.head_dim
        self.embed = dense(channels, self.num_features, gain=1.0, dtype=config.dtype, rngs=rngs)
        positions = jax.random.normal(rngs.params(), (height * width, self.num_features))
        self.positions = nnx.Param(POSITION_SCALE * positions)
        self.blocks = nnx.List([Block(config, rngs=rngs) for _ in range(config.num_blocks)])
        self.norm = layer_norm(self.num_features, dtype=config.dtype, rngs=rngs)

    def encode(self, observation: Array) -> Array:
        """Maps observations `[B, H, W, C] float32` to features `[B, D]`."""
        batch, channels = observation.shape[0], observation.shape[-1]
        x = self.embed(observation.reshape(batch, -1, channels))
        x = x + self.positions[...].astype(x.dtype)[None]
        for block in self.blocks:
            x = block(x)
        return self.norm(x).astype(jnp.float32).mean(axis=1)


class TransformerModule(TransformerTrunk, FeatureHeads):
    """The trunk with a policy head and a value head."""

    def __init__(
        self,
        config: "Transformer",
        *,
        board: tuple[int, int, int],
        num_actions: int,
        rngs: nnx.Rngs,
    ) -> None:
        TransformerTrunk.__init__(self, config, board=board, rngs=rngs)
        FeatureHeads.__init__(
            self, self.num_features, num_actions=num_actions, options=config, rngs=rngs
        )

    def __call__(self, observation: Array, *, training: Training | None = None) -> Outputs:
        """Maps observations `[B, H, W, C] float32` to logits `[B, A]` and values `[B]`."""
        return self.heads(self.encode(observation), training)


def build(
    config: "Transformer", *, observation_shape: ObservationShape, num_actions: int
) -> Network:
    """Builds the network of a `kind = "transformer"` model.

    Raises:
        UserError: An observation is not `[H, W, C]`.
    """
    board = board_shape(observation_shape, model="a transformer")
    return from_module(
        lambda rngs: TransformerModule(config, board=board, num_actions=num_actions, rngs=rngs),
        observation_shape=observation_shape,
        num_actions=num_actions,
        trains=config.dropout > 0,
    )
