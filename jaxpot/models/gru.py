"""A perceptron with a gated recurrent unit behind it."""

from typing import TYPE_CHECKING

from jaxpot.models.base import Network, ObservationShape
from jaxpot.models.cells import GRUCell
from jaxpot.models.perceptron import Perceptron
from jaxpot.models.recurrent import recurrent_network

if TYPE_CHECKING:
    from jaxpot.spec import GRU


def build(config: "GRU", *, observation_shape: ObservationShape, num_actions: int) -> Network:
    """Builds the network of a `kind = "gru"` model."""
    return recurrent_network(
        lambda rngs: Perceptron(
            observation_shape,
            hidden_dims=config.hidden_dims,
            activation=config.activation,
            dtype=config.dtype,
            rngs=rngs,
        ),
        GRUCell,
        options=config,
        observation_shape=observation_shape,
        num_actions=num_actions,
    )
