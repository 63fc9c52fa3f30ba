"""What the loop needs from an evaluator."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from jax import Array

from jaxpot.errors import UserError
from jaxpot.models.base import ModelState, Params


class OpponentError(UserError):
    """The opponent that an evaluator's config names cannot be had.

    Attributes:
        code: The fault's code.
        key: The key of the config that names what is wrong.
        allowed: What would be right.
    """

    def __init__(self, code: str, key: str, message: str, allowed: str) -> None:
        super().__init__(message)
        self.code = code
        self.key = key
        self.allowed = allowed


class EvaluatorOutput(NamedTuple):
    """One evaluation's results; the loop puts the evaluator's own name before each."""

    metrics: Mapping[str, Array]
    """Scalars by name, such as `win_rate` or `p0/win_rate`; `p0` is the agent moving first."""
    histograms: Mapping[str, Array]
    """Counts, `[bins]` int32, by name, such as `actions`."""
    fields: Mapping[str, Any] = {}  # jax knows no read-only mapping
    """New values of the state's fields that the evaluator's kind declares to write."""


class Evaluator(Protocol):
    """A pure function from a network's parameters to results; the loop jits it as one program.

    An evaluator may have an attribute `constants`, a dict of arrays that are handed to `run` by
    keyword rather than compiled in, and one `source`, plain data that says where they come from,
    which the run records.
    """

    def run(self, params: Params, model_state: ModelState, key: Array) -> EvaluatorOutput:
        """Evaluates; `key` is consumed, by an evaluator that draws.

        Its constants, and the state's fields that its kind declares to read, come by keyword.
        """
        ...
