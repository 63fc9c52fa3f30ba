"""Games: the `Environment` contract, pgx's games, and stepping with auto-reset."""

from jaxpot.envs.actions import uniform_legal_action
from jaxpot.envs.auto_reset import AutoReset, auto_reset_step
from jaxpot.envs.base import Environment, EnvState, TellsHands
from jaxpot.envs.history import with_history

__all__ = [
    "AutoReset",
    "EnvState",
    "Environment",
    "TellsHands",
    "auto_reset_step",
    "uniform_legal_action",
    "with_history",
]
