"""The contract of an evaluator."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from jax import Array

from jaxpot.errors import UserError
from jaxpot.models.base import Variables


class OpponentError(UserError):
    """The opponent that an evaluator's config names cannot be loaded.

    Attributes:
        code: The fault's code.
        key: The config's key that is wrong.
        allowed: What would be right.
    """

    def __init__(self, code: str, key: str, message: str, allowed: str) -> None:
        super().__init__(message)
        self.code = code
        self.key = key
        self.allowed = allowed


class EvaluatorOutput(NamedTuple):
    """The results of one evaluation; the loop prefixes their names with the evaluator's."""

    metrics: Mapping[str, Array]
    """Scalars by name, such as `win_rate` or `p0/win_rate`; in `p0` the agent moves first."""
    histograms: Mapping[str, Array]
    """Counts, `[bins]` int32, by name, such as `actions`."""
    fields: Mapping[str, Any] = {}  # jax has no pytree of a read-only mapping
    """New values of the fields of the state that the evaluator's kind declares to write."""


class Evaluator(Protocol):
    """A pure function from a network's parameters to results; the loop jits it as one program.

    An evaluator may have an attribute `constants`, a dict of arrays that are passed to `run` by
    keyword instead of compiled in, and an attribute `source`, plain data on where they come from,
    which the run records.
    """

    def run(self, variables: Variables, key: Array) -> EvaluatorOutput:
        """Evaluate the network; `key` is consumed if the evaluator draws.

        Keyword arguments are its constants and the fields of the state that its kind reads.
        """
        ...
