"""A transformer over a board's squares with long short-term memory behind it."""

from typing import TYPE_CHECKING

from jaxpot.models.base import Network, ObservationShape
from jaxpot.models.cells import LSTMCell
from jaxpot.models.observations import board_shape
from jaxpot.models.recurrent import recurrent_network
from jaxpot.models.transformer import TransformerTrunk

if TYPE_CHECKING:
    from jaxpot.spec import TransformerLSTM


def build(
    config: "TransformerLSTM", *, observation_shape: ObservationShape, num_actions: int
) -> Network:
    """Builds the network of a `kind = "transformer_lstm"` model.

    Raises:
        UserError: An observation is not `[H, W, C]`.
    """
    board = board_shape(observation_shape, model="a transformer_lstm")
    return recurrent_network(
        lambda rngs: TransformerTrunk(config, board=board, rngs=rngs),
        LSTMCell,
        options=config,
        observation_shape=observation_shape,
        num_actions=num_actions,
    )
