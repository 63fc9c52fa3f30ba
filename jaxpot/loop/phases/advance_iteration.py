"""Count the iteration as done."""

import jax.numpy as jnp
from jax import Array

from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.loop.phase import Field, Phase
from jaxpot.spec import Experiment


def fields(experiment: Experiment) -> tuple[Field, ...]:
    return (Field(name="iteration", init=init_iteration, doc="Iterations done."),)


def phases(experiment: Experiment) -> tuple[Phase, ...]:
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
    return jnp.int32(0)


def build(context: Context, phase: Phase) -> PhaseFunction:

    def run(values: Values):
        return {"iteration": values["iteration"] + 1}, {}

    return run
