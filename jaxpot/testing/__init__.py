"""Contract tests for games and evaluators of your own; call them from your own test suite."""

from jaxpot.testing.contract import ContractError
from jaxpot.testing.environment import check_environment
from jaxpot.testing.evaluator import check_evaluator

__all__ = ["ContractError", "check_environment", "check_evaluator"]
