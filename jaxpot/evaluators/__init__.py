"""Evaluators: how good an agent is, measured on the device at a cadence of its own."""

from jaxpot.evaluators.base import Evaluator, EvaluatorOutput
from jaxpot.evaluators.play import Games, Player, play_games, rates

__all__ = ["Evaluator", "EvaluatorOutput", "Games", "Player", "play_games", "rates"]
