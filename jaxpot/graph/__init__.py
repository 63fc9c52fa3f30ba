"""Experiment -> phase graph, as data: no arrays, no jax."""

from jaxpot.graph.compile import compile_graph
from jaxpot.graph.graph import PhaseGraph, Regime
from jaxpot.graph.phase import Cadence, Field, Phase

__all__ = ["Cadence", "Field", "Phase", "PhaseGraph", "Regime", "compile_graph"]
