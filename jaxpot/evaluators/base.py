"""What the loop needs from an evaluator."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from jax import Array

from jaxpot.models.base import ModelState, Params


class EvaluatorOutput(NamedTuple):
    """One evaluation's results; the loop puts the evaluator's own name before each."""

    metrics: Mapping[str, Array]
    """Scalars by name, such as `win_rate` or `p0/win_rate`; `p0` is the agent moving first."""
    histograms: Mapping[str, Array]
    """Counts, `[bins]` int32, by name, such as `actions`."""


class Evaluator(Protocol):
    """A pure function from a network's parameters to results; the loop jits it as one program."""

    def run(self, params: Params, model_state: ModelState, key: Array) -> EvaluatorOutput:
        """Evaluates; `key` is consumed, by an evaluator that draws."""
        ...
