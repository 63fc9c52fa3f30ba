"""Evaluators: how good an agent is, measured on the device at a cadence of its own."""

from jaxpot.evaluators.base import Evaluator, EvaluatorOutput
from jaxpot.evaluators.play import Games, play_games, rates
from jaxpot.evaluators.players import Player, policy_player

__all__ = [
    "Evaluator",
    "EvaluatorOutput",
    "Games",
    "Player",
    "play_games",
    "policy_player",
    "rates",
]
