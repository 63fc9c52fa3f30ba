"""Dropout, which takes its key from what a module is told of training."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.models.base import Training


def drop(x: Array, rate: float, training: Training | None) -> Array:
    """Zeroes a share of the numbers in training, and leaves them alone in play.

    What is left is scaled so that each number keeps its mean (Srivastava et al. 2014, section 10;
    https://jmlr.org/papers/v15/srivastava14a.html).

    Args:
        x: `[B, ...]`.
        rate: The share, below 1.
        training: None in play.
    """
    if training is None or rate == 0.0:
        return x
    kept = jax.random.bernoulli(training.rngs.dropout(), 1.0 - rate, x.shape)
    return jnp.where(kept, x / (1.0 - rate), jnp.zeros_like(x))
