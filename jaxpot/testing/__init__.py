"""Contract tests for games, models and evaluators of your own, to call from your own tests."""

from jaxpot.testing.contract import ContractError
from jaxpot.testing.environment import check_environment
from jaxpot.testing.evaluator import check_evaluator
from jaxpot.testing.network import check_network

__all__ = ["ContractError", "check_environment", "check_evaluator", "check_network"]
