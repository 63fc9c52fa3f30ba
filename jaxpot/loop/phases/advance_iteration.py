"""Count the iteration as done."""

import jax.numpy as jnp
from jax import Array

from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.loop.phase import Field, Phase
from jaxpot.spec import Experiment


def fields(experiment: Experiment) -> tuple[Field, ...]:
    """Declare `iteration`."""
    del experiment
    return (Field(name="iteration", init=init_iteration, doc="Iterations done."),)


def phases(experiment: Experiment) -> tuple[Phase, ...]:
    """Declare the phase."""
    del experiment
    return (
        Phase(
            name="advance_iteration",
            where="device",
            program="iteration",
            reads=("iteration",),
            writes=("iteration",),
            implementation=build,
            doc="Counts the iteration as done.",
        ),
    )


def init_iteration(context: Context, values: Values, root_key: Array) -> Array:
    """Start the count at 0."""
    del context, values, root_key
    return jnp.int32(0)


def build(context: Context, phase: Phase) -> PhaseFunction:
    """Build the phase."""
    del context, phase

    def run(values: Values):
        return {"iteration": values["iteration"] + 1}, {}

    return run
