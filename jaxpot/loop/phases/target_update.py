"""Move the target network towards the live one: `tau * live + (1 - tau) * target`."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.errors import UserError
from jaxpot.loop.context import NETWORK, Context, PhaseFunction, Values, network_variables
from jaxpot.loop.phase import Field, Phase
from jaxpot.spec import Experiment


def fields(experiment: Experiment) -> tuple[Field, ...]:
    """Declare `target`, for an experiment with a target network."""
    if experiment.target is None:
        return ()
    doc = "The target: a slow copy of parameters and untrained variables."
    return (Field(name="target", init=init_target, doc=doc),)


def phases(experiment: Experiment) -> tuple[Phase, ...]:
    """Declare the phase, for an experiment with a target network."""
    if experiment.target is None:
        return ()
    return (
        Phase(
            name="target_update",
            where="device",
            program="iteration",
            reads=(*NETWORK, "target", "iteration"),
            writes=("target",),
            implementation=build,
            doc="Moves the target towards the network, at its own cadence.",
        ),
    )


def init_target(context: Context, values: Values, root_key: Array) -> Any:
    """Copy the fresh network: the copy must share no buffer with it, since both are donated."""
    del context, root_key
    return jax.tree.map(jnp.copy, network_variables(values))


def build(context: Context, phase: Phase) -> PhaseFunction:
    """Build the phase."""
    del phase
    config = context.experiment.target
    if config is None:
        raise UserError("the graph has a target that the experiment does not configure")
    every, tau = config.every, config.tau

    def move(live: Array, slow: Array) -> Array:
        if not jnp.issubdtype(live.dtype, jnp.floating):
            return live  # a count, say, which has no average
        return (tau * live + (1 - tau) * slow).astype(slow.dtype)

    def run(values: Values):
        due = (values["iteration"] + 1) % every == 0
        live = network_variables(values)
        target = jax.tree.map(
            lambda x, slow: jnp.where(due, move(x, slow), slow), live, values["target"]
        )
        return {"target": target}, {}

    return run
