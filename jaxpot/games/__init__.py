"""Games: the `Environment` contract, pgx's games, and stepping with auto-reset."""

from jaxpot.games.base import (
    AutoReset,
    Environment,
    EnvState,
    TellsHands,
    auto_reset_step,
    uniform_legal_action,
)
from jaxpot.games.history import with_history

__all__ = [
    "AutoReset",
    "EnvState",
    "Environment",
    "TellsHands",
    "auto_reset_step",
    "uniform_legal_action",
    "with_history",
]
