"""Models: the `Network` contract, jaxpot's own networks, and what they are made of."""

from jaxpot.models.base import ModelState, Network, Params, count_parameters, from_module
from jaxpot.models.convolution import convolution
from jaxpot.models.normalization import normalize_relu
from jaxpot.models.tiling import over_tiles

__all__ = [
    "ModelState",
    "Network",
    "Params",
    "convolution",
    "count_parameters",
    "from_module",
    "normalize_relu",
    "over_tiles",
]
