"""Models: the `Network` contract and jaxpot's own networks."""

from jaxpot.models.base import ModelState, Network, Params, count_parameters, from_module

__all__ = ["ModelState", "Network", "Params", "count_parameters", "from_module"]
