"""Auxiliary losses: what a network learns to predict in addition to policy and value."""

from jaxpot.algorithms.auxiliary.base import (
    AuxiliaryLoss,
    auxiliary_targets,
    auxiliary_terms,
    build_losses,
    head_widths,
    record_states,
)
from jaxpot.algorithms.auxiliary.network import build_network

__all__ = [
    "AuxiliaryLoss",
    "auxiliary_targets",
    "auxiliary_terms",
    "build_losses",
    "build_network",
    "head_widths",
    "record_states",
]
