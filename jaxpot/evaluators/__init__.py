"""Evaluators: they measure on the device how good an agent is, each at its cadence."""

from jaxpot.evaluators.play import Games, play_games, rates
from jaxpot.evaluators.players import Evaluator, EvaluatorOutput, Player, policy_player

__all__ = [
    "Evaluator",
    "EvaluatorOutput",
    "Games",
    "Player",
    "play_games",
    "policy_player",
    "rates",
]
