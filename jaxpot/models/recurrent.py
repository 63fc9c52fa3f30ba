"""Every recurrent network: an encoder of what is seen, a cell that remembers, and two heads.

Axis letters: B batch, E what the encoder gives, F what the cell gives.
"""

from collections.abc import Callable
from typing import Protocol

from flax import nnx
from jax import Array

from jaxpot.models.base import Network, Observation, ObservationShape, Training, from_module
from jaxpot.models.cells import Cell
from jaxpot.models.feature_heads import FeatureHeads, Options
from jaxpot.models.memory import Carry


class Encoder(Protocol):
    """What sees an observation."""

    num_features: int
    """E."""

    def encode(self, observation: Observation) -> Array:
        """Maps observations `[B, ...] float32` to `[B, E]`."""
        ...


class RecurrentOptions(Options, Protocol):
    """What the config of every built-in recurrent model says of it."""

    @property
    def hidden_size(self) -> int:
        """F."""
        ...


MakeCell = Callable[..., Cell]


class RecurrentModule(FeatureHeads):
    """Encoder -> cell -> policy and value heads."""

    def __init__(
        self,
        encoder: Encoder,
        make_cell: MakeCell,
        *,
        num_actions: int,
        options: RecurrentOptions,
        rngs: nnx.Rngs,
    ) -> None:
        hidden_size = options.hidden_size
        self.encoder = encoder
        self.memory = make_cell(encoder.num_features, hidden_size, dtype=options.dtype, rngs=rngs)
        super().__init__(hidden_size, num_actions=num_actions, options=options, rngs=rngs)

    def initial_carry(self, batch: int) -> Carry:
        """Returns what a game begins with, `[batch, ...]`."""
        return self.memory.initial_carry(batch)

    def encode(self, observation: Observation, *, training: Training | None = None) -> Array:
        """Maps observations `[B, ...] float32` to `[B, E]`; training is like play."""
        del training
        return self.encoder.encode(observation)

    def cell(self, carry: Carry, x: Array) -> tuple[Carry, Array]:
        """Maps what is carried and `[B, E]` to the next carry and `[B, F]`."""
        return self.memory(carry, x)


def recurrent_network(
    make_encoder: Callable[[nnx.Rngs], Encoder],
    make_cell: MakeCell,
    *,
    options: RecurrentOptions,
    observation_shape: ObservationShape,
    num_actions: int,
) -> Network:
    """Wraps the recurrent network of an encoder and a cell."""

    def make(rngs: nnx.Rngs) -> RecurrentModule:
        return RecurrentModule(
            make_encoder(rngs), make_cell, num_actions=num_actions, options=options, rngs=rngs
        )

    return from_module(
        make,
        observation_shape=observation_shape,
        num_actions=num_actions,
        recurrent=True,
        trains=options.dropout > 0,
    )
