"""The memory cells of recurrent networks.

A cell's carry is float32, and zero when a game begins.

Axis letters: B batch, E inputs of the cell, F its outputs.
"""

from typing import Any, TypeAlias

import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.layers import orthogonal


def _options(dtype: str, rngs: nnx.Rngs) -> dict[str, Any]:
    return {
        "kernel_init": orthogonal(1.0),
        "recurrent_kernel_init": orthogonal(1.0),
        "dtype": jnp.dtype(dtype),
        "rngs": rngs,
    }


class LSTMCell(nnx.Module):
    """Long short-term memory (Hochreiter and Schmidhuber 1997); carries cell state and output.

    It has a forget gate (Gers et al. 2000, https://doi.org/10.1162/089976600300015015).
    """

    def __init__(self, num_inputs: int, hidden_size: int, *, dtype: str, rngs: nnx.Rngs) -> None:
        self.hidden_size = hidden_size
        self.gates = nnx.OptimizedLSTMCell(num_inputs, hidden_size, **_options(dtype, rngs))

    def initial_carry(self, batch: int) -> tuple[Array, Array]:
        """Return zeros, twice `[batch, F]`."""
        zeros = jnp.zeros((batch, self.hidden_size))
        return zeros, zeros

    def __call__(self, carry: tuple[Array, Array], x: Array) -> tuple[tuple[Array, Array], Array]:
        """Map a carry and `[B, E]` to the next carry and `[B, F]`."""
        return self.gates(carry, x)


class GRUCell(nnx.Module):
    """A gated recurrent unit (Cho et al. 2014, https://arxiv.org/abs/1406.1078).

    The reset gate follows the product with the recurrent kernel. It carries its output.
    """

    def __init__(self, num_inputs: int, hidden_size: int, *, dtype: str, rngs: nnx.Rngs) -> None:
        self.hidden_size = hidden_size
        self.gates = nnx.GRUCell(num_inputs, hidden_size, **_options(dtype, rngs))

    def initial_carry(self, batch: int) -> Array:
        """Return zeros `[batch, F]`."""
        return jnp.zeros((batch, self.hidden_size))

    def __call__(self, carry: Array, x: Array) -> tuple[Array, Array]:
        """Map a carry and `[B, E]` to the next carry and `[B, F]`."""
        return self.gates(carry, x)


Cell: TypeAlias = LSTMCell | GRUCell

CELLS: dict[str, type[LSTMCell] | type[GRUCell]] = {"lstm": LSTMCell, "gru": GRUCell}
"""The cells by the `kind` of `[model] memory`."""
