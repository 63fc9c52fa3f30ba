"""Run a large batch as a sequence of small ones, which is faster on CPU."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax


def over_tiles(function: Callable[[Array], Any], x: Array, *, tile: int) -> Any:
    """Apply a function to a batch, on CPU at most `tile` rows at a time.

    A CPU's caches hold the activations of one tile but not of a whole batch. Other platforms
    evaluate the whole batch at once.

    Args:
        function: Maps `[B, ...]` to a pytree of `[B, ...]`, each row independently.
        x: `[B, ...]`.
        tile: The most rows of a tile. All tiles have one size; the last is padded with zero
            rows, fewer than there are tiles.
    """
    tiles = math.ceil(x.shape[0] / tile)
    if tiles <= 1:
        return function(x)

    def tiled(x: Array) -> Any:
        rows = x.shape[0]
        size = math.ceil(rows / tiles)
        padded = jnp.pad(x, [(0, tiles * size - rows)] + [(0, 0)] * (x.ndim - 1))
        outputs = lax.map(function, padded.reshape(tiles, size, *x.shape[1:]))
        return jax.tree.map(lambda y: y.reshape(tiles * size, *y.shape[2:])[:rows], outputs)

    return lax.platform_dependent(x, cpu=tiled, default=function)
