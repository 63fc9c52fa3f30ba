"""Models: the `Network` contract and jaxpot's own networks."""

from jaxpot.models.base import (
    ModelState,
    Network,
    Outputs,
    Params,
    Sequences,
    Training,
    Variables,
    count_parameters,
    from_module,
)

__all__ = [
    "ModelState",
    "Network",
    "Outputs",
    "Params",
    "Sequences",
    "Training",
    "Variables",
    "count_parameters",
    "from_module",
]
