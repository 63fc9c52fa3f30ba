"""The transformer over a board's squares.

Axis letters: B batch, H height, W width, C channels, T tokens (`H * W`), D width.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.base import Observation, ObservationShape, Training
from jaxpot.models.board import board_shape
from jaxpot.models.layers import FeedForward, dense, layer_norm, orthogonal
from jaxpot.models.trunk import Trunk, build_network
from jaxpot.spec.configs.models import Transformer

POSITION_SCALE = 0.02


class SelfAttention(nnx.Module):
    """Multi-head attention (Vaswani et al. 2017, section 3.2; https://arxiv.org/abs/1706.03762).

    Queries, keys and values have no bias: the softmax cancels a bias of the keys.
    """

    def __init__(self, num_heads: int, head_dim: int, *, dtype: str, rngs: nnx.Rngs) -> None:
        width = num_heads * head_dim
        self.num_heads = num_heads
        self.query, self.key, self.value = (
            nnx.Linear(
                width,
                width,
                use_bias=False,
                kernel_init=orthogonal(1.0),
                dtype=jnp.dtype(dtype),
                rngs=rngs,
            )
            for _ in range(3)
        )
        self.out = dense(width, width, gain=1.0, dtype=dtype, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Map `[B, T, D]` to the same shape; every token attends to every other of its row."""
        heads = (*x.shape[:2], self.num_heads, -1)
        query, key, value = (
            layer(x).reshape(heads) for layer in (self.query, self.key, self.value)
        )
        return self.out(jax.nn.dot_product_attention(query, key, value).reshape(x.shape))


class Block(nnx.Module):
    """Attention and a feed-forward layer, each normalised first and added to its input."""

    def __init__(self, config: Transformer, *, rngs: nnx.Rngs) -> None:
        width, dtype = config.num_heads * config.head_dim, config.dtype
        self.norm = layer_norm(width, dtype=dtype, rngs=rngs)
        self.attention = SelfAttention(config.num_heads, config.head_dim, dtype=dtype, rngs=rngs)
        self.feed_forward = FeedForward(width, activation=config.activation, dtype=dtype, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Map `[B, T, D]` to the same shape."""
        return self.feed_forward(x + self.attention(self.norm(x)))


class TransformerModule(Trunk):
    """One token a square with a learned position -> blocks -> LayerNorm -> mean over squares."""

    def __init__(
        self, config: Transformer, *, observation_shape: ObservationShape, rngs: nnx.Rngs
    ) -> None:
        height, width, channels = board_shape(observation_shape, kind=config.kind)
        self.num_features = config.num_heads * config.head_dim
        self.embed = dense(channels, self.num_features, gain=1.0, dtype=config.dtype, rngs=rngs)
        positions = jax.random.normal(rngs.params(), (height * width, self.num_features))
        self.positions = nnx.Param(POSITION_SCALE * positions)
        self.blocks = nnx.List([Block(config, rngs=rngs) for _ in range(config.num_blocks)])
        self.norm = layer_norm(self.num_features, dtype=config.dtype, rngs=rngs)

    def encode(self, observation: Observation, *, training: Training | None = None) -> Array:
        """Map observations `[B, H, W, C] float32` to features `[B, D]`."""
        del training  # a block computes the same in training as in play
        batch, channels = observation.shape[0], observation.shape[-1]
        x = self.embed(observation.reshape(batch, -1, channels))
        x = x + self.positions[...].astype(x.dtype)[None]
        for block in self.blocks:
            x = block(x)
        return self.norm(x).astype(jnp.float32).mean(axis=1)


build = partial(build_network, TransformerModule)
