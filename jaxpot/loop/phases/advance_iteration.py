"""Count the iteration as done."""

from collections.abc import Iterator

import jax.numpy as jnp
from jax import Array

from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.loop.phase import Field, Phase
from jaxpot.spec import Experiment


def fields(experiment: Experiment) -> Iterator[Field]:
    yield Field(name="iteration", init=init_iteration, doc="Iterations done.")


def phases(experiment: Experiment) -> Iterator[Phase]:
    yield Phase(
        name="advance_iteration",
        reads=("iteration",),
        writes=("iteration",),
        implementation=build,
        doc="Counts the iteration as done.",
    )


def init_iteration(context: Context, values: Values, root_key: Array) -> Array:
    return jnp.int32(0)


def build(context: Context, phase: Phase) -> PhaseFunction:
    return lambda values: ({"iteration": values["iteration"] + 1}, {})
