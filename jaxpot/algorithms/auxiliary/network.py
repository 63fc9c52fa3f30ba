"""The network of an experiment: its model, with a head for each auxiliary loss."""

from collections.abc import Mapping
from typing import Any

from jaxpot.algorithms.auxiliary.base import AuxiliaryLoss
from jaxpot.algorithms.auxiliary.losses import head_widths
from jaxpot.games import Environment
from jaxpot.models.base import Network
from jaxpot.models.heads import with_heads
from jaxpot.spec.registry import implementation


def build_network(
    model: Any, *, env: Environment[Any], auxiliary: Mapping[str, AuxiliaryLoss]
) -> Network:
    """Builds the network that the config `model` declares, for a game.

    Raises:
        UserError: The model has no use for the game's observations, or there are auxiliary losses
            and it does not tell its features.
    """
    network = implementation(model)(
        model, observation_shape=env.observation_shape, num_actions=env.num_actions
    )
    return with_heads(network, head_widths(auxiliary))
