"""Attention of every token of a row to every other.

Axis letters: B batch, T tokens, D width.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.dense import dense, orthogonal


class SelfAttention(nnx.Module):
    """Multi-head attention (Vaswani et al. 2017, section 3.2; https://arxiv.org/abs/1706.03762).

    Queries, keys and values have no bias: softmax does not see a key's.
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
        """Maps `[B, T, D]` to the same shape."""
        heads = (*x.shape[:2], self.num_heads, -1)
        query, key, value = (
            layer(x).reshape(heads) for layer in (self.query, self.key, self.value)
        )
        return self.out(jax.nn.dot_product_attention(query, key, value).reshape(x.shape))
