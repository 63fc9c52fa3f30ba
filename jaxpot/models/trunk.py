"""How a trunk becomes a network: with heads on its features, or with a memory cell in between.

A kind of network is a class of layers, its trunk, that is derived from `Trunk` or, over a board,
from `jaxpot.models.board.BoardTrunk`. `build_network` adds the rest, as the spec's `memory` says:

    without memory: trunk, with the heads as further layers of the same module
    with memory:    encoder (the trunk) -> memory (a cell) -> policy and value heads

Axis letters: B batch, A actions, E features of the trunk, F features that the heads read.
"""

from abc import abstractmethod
from typing import Any, ClassVar, Protocol

import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.base import (
    Network,
    Observation,
    ObservationShape,
    Outputs,
    Training,
    from_module,
)
from jaxpot.models.layers import dense, drop, orthogonal
from jaxpot.models.memory import Carry
from jaxpot.spec.configs.models import Memory


class Options(Protocol):
    """The options that every built-in network has."""

    @property
    def value_head(self) -> str:
        """`plain` or `tanh`."""
        ...

    @property
    def dropout(self) -> float:
        """The share of the trunk's features that training drops."""
        ...

    @property
    def dtype(self) -> str:
        """The dtype that the trunk computes in."""
        ...

    @property
    def memory(self) -> Memory | None:
        """The cell between trunk and heads."""
        ...


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


CELLS: dict[str, type[LSTMCell] | type[GRUCell]] = {"lstm": LSTMCell, "gru": GRUCell}
"""The cells by the `kind` of `[model] memory`. Their carry is float32, zero at a game's start."""


class FeatureHeads(nnx.Module):
    """A policy head and a value head that read one row of features.

    Kernels start orthogonal, biases at zero, with PPO's usual gains: 0.01 for the policy, so that
    it starts near uniform, and 1 for the value (Andrychowicz et al. 2021, "What Matters In
    On-Policy RL?", section 3.2; https://arxiv.org/abs/2006.05990).
    """

    def add_heads(
        self, num_features: int, *, num_actions: int, options: Options, rngs: nnx.Rngs
    ) -> None:
        """Add the two heads as layers of this module."""
        self.value_head = options.value_head
        self.dropout = options.dropout
        self.policy = dense(num_features, num_actions, gain=0.01, rngs=rngs)
        self.value = dense(num_features, 1, gain=1.0, rngs=rngs)

    def heads(self, features: Array, training: Training | None = None) -> Outputs:
        """Map features `[B, F]` to logits `[B, A]` and values `[B]`."""
        features = drop(features.astype(jnp.float32), self.dropout, training)
        value = bounded(self.value(features)[:, 0], self.value_head)
        return Outputs(self.policy(features), value, features)


class Trunk(FeatureHeads):
    """Base of the trunks that turn an observation into one row of features.

    Attributes:
        num_features: E, set by the derived class.
    """

    batch_statistics: ClassVar[bool] = False
    """Whether the trunk normalises by batches, so that in training a row depends on others."""
    num_features: int

    @abstractmethod
    def __init__(self, config: Any, *, observation_shape: ObservationShape, rngs: nnx.Rngs) -> None:
        """Make the layers, drawing their parameters from `rngs`."""

    @abstractmethod
    def encode(self, observation: Observation, *, training: Training | None = None) -> Array:
        """Map observations `[B, ...] float32` to features `[B, E]`."""

    def __call__(self, observation: Observation, *, training: Training | None = None) -> Outputs:
        """Map observations `[B, ...] float32` to logits `[B, A]` and values `[B]`."""
        return self.heads(self.encode(observation, training=training), training)

    def become_network(self, *, num_actions: int, options: Options, rngs: nnx.Rngs) -> None:
        """Add what a network without memory needs: heads on the features."""
        self.add_heads(self.num_features, num_actions=num_actions, options=options, rngs=rngs)

    def become_encoder(self, memory: Memory, *, dtype: str, rngs: nnx.Rngs) -> None:
        """Add what a memory cell needs: nothing, since the features are one row already."""


class RecurrentModule(FeatureHeads):
    """Encoder -> memory cell -> policy and value heads."""

    def __init__(
        self, encoder: Trunk, memory: Memory, *, num_actions: int, options: Options, rngs: nnx.Rngs
    ) -> None:
        self.encoder = encoder
        encoder.become_encoder(memory, dtype=options.dtype, rngs=rngs)
        self.memory = CELLS[memory.kind](
            encoder.num_features, memory.hidden_size, dtype=options.dtype, rngs=rngs
        )
        self.add_heads(memory.hidden_size, num_actions=num_actions, options=options, rngs=rngs)

    def initial_carry(self, batch: int) -> Carry:
        """Return the carry at the start of a game, `[batch, ...]`."""
        return self.memory.initial_carry(batch)

    def encode(self, observation: Observation, *, training: Training | None = None) -> Array:
        """Map observations `[B, ...] float32` to `[B, E]`."""
        return self.encoder.encode(observation, training=training)

    def cell(self, carry: Carry, x: Array) -> tuple[Carry, Array]:
        """Map a carry and `[B, E]` to the next carry and `[B, F]`."""
        return self.memory(carry, x)


def build_network(
    trunk_class: type[Trunk],
    options: Options,
    *,
    observation_shape: ObservationShape,
    num_actions: int,
) -> Network:
    """Build the network of a trunk's class, with memory if the options say so.

    Raises:
        UserError: The trunk needs a board, and an observation is not `[H, W, C]`.
    """
    memory = options.memory

    def make(rngs: nnx.Rngs) -> Trunk | RecurrentModule:
        trunk = trunk_class(options, observation_shape=observation_shape, rngs=rngs)
        if memory is not None:
            return RecurrentModule(
                trunk, memory, num_actions=num_actions, options=options, rngs=rngs
            )
        trunk.become_network(num_actions=num_actions, options=options, rngs=rngs)
        return trunk

    return from_module(
        make,
        observation_shape=observation_shape,
        num_actions=num_actions,
        recurrent=memory is not None,
        trains=trunk_class.batch_statistics or options.dropout > 0,
    )


def bounded(value: Array, value_head: str) -> Array:
    """Return a value as `value_head` wants it: unchanged, or its tanh."""
    return jnp.tanh(value) if value_head == "tanh" else value
