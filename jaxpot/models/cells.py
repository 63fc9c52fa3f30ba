"""The cells of recurrent networks, and what they carry: float32, and zero as a game begins.

Axis letters: B batch, E what the cell is given, F what it gives.
"""

from typing import Protocol

import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.dense import orthogonal
from jaxpot.models.memory import Carry


class Cell(Protocol):
    """One step of a recurrent network."""

    hidden_size: int
    """F."""

    def initial_carry(self, batch: int) -> Carry:
        """Returns what a game begins with, `[batch, ...]`."""
        ...

    def __call__(self, carry: Carry, x: Array) -> tuple[Carry, Array]:
        """Maps what is carried and `[B, E]` to the next carry and `[B, F]`."""
        ...


class LSTMCell(nnx.Module):
    """Long short-term memory; it carries the pair of cell state and output."""

    def __init__(self, num_inputs: int, hidden_size: int, *, dtype: str, rngs: nnx.Rngs) -> None:
        self.hidden_size = hidden_size
        self.gates = nnx.OptimizedLSTMCell(
            num_inputs,
            hidden_size,
            kernel_init=orthogonal(1.0),
            recurrent_kernel_init=orthogonal(1.0),
            dtype=jnp.dtype(dtype),
            rngs=rngs,
        )

    def initial_carry(self, batch: int) -> tuple[Array, Array]:
        """Returns zeros, twice `[batch, F]`."""
        zeros = jnp.zeros((batch, self.hidden_size))
        return zeros, zeros

    def __call__(self, carry: tuple[Array, Array], x: Array) -> tuple[tuple[Array, Array], Array]:
        """Maps what is carried and `[B, E]` to the next carry and `[B, F]`."""
        return self.gates(carry, x)


class GRUCell(nnx.Module):
    """A gated recurrent unit; it carries its output."""

    def __init__(self, num_inputs: int, hidden_size: int, *, dtype: str, rngs: nnx.Rngs) -> None:
        self.hidden_size = hidden_size
        self.gates = nnx.GRUCell(
            num_inputs,
            hidden_size,
            kernel_init=orthogonal(1.0),
            recurrent_kernel_init=orthogonal(1.0),
            dtype=jnp.dtype(dtype),
            rngs=rngs,
        )

    def initial_carry(self, batch: int) -> Array:
        """Returns zeros `[batch, F]`."""
        return jnp.zeros((batch, self.hidden_size))

    def __call__(self, carry: Array, x: Array) -> tuple[Array, Array]:
        """Maps what is carried and `[B, E]` to the next carry and `[B, F]`."""
        return self.gates(carry, x)
