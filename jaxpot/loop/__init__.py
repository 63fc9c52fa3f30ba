"""A run's program and its loop: an experiment becomes a graph of phases, and the graph runs."""

from jaxpot.loop.compile import compile_graph
from jaxpot.loop.graph import PhaseGraph, Regime
from jaxpot.loop.phase import Cadence, Field, Phase

__all__ = ["Cadence", "Field", "Phase", "PhaseGraph", "Regime", "compile_graph"]
