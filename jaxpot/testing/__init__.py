"""Checks for your own tests.

`check_*` test that a part of yours fulfils its contract; `assert_*` test a whole spec: that it is
reproducible, resumable, and keeps its payload keys.
"""

from jaxpot.testing.algorithm import check_algorithm
from jaxpot.testing.contract import ContractError
from jaxpot.testing.environment import check_environment
from jaxpot.testing.network import check_network
from jaxpot.testing.parts import check_auxiliary_loss, check_evaluator
from jaxpot.testing.reproducibility import (
    NotReproducibleError,
    assert_payload_keys,
    assert_reproducible,
    assert_resumable,
)

__all__ = [
    "ContractError",
    "NotReproducibleError",
    "assert_payload_keys",
    "assert_reproducible",
    "assert_resumable",
    "check_algorithm",
    "check_auxiliary_loss",
    "check_environment",
    "check_evaluator",
    "check_network",
]
