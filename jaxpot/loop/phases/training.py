"""Train: shuffle the valid rows, and make the epochs of minibatch updates."""

from typing import Any

from jax import Array

from jaxpot.loop.context import NETWORK, Context, PhaseFunction, Values, network_variables
from jaxpot.loop.phase import SHUFFLE, Field, Phase, stream_value
from jaxpot.loop.phases.guard import all_finite
from jaxpot.loop.phases.replay import kept_rows
from jaxpot.loop.streams import stream_key
from jaxpot.spec import Experiment
from jaxpot.spec.registry import part_streams, replay_iterations


def fields(experiment: Experiment) -> tuple[Field, ...]:
    """Declare the network and the optimizer's state."""
    del experiment
    return (
        Field(name="params", init=init_params, doc="The network's parameters."),
        Field(
            name="model_state",
            init=init_model_state,
            doc="The network's variables that are not trained.",
        ),
        Field(
            name="opt_state",
            init=init_opt_state,
            doc="The optimizer's state, a partial accumulation included.",
        ),
    )


def phases(experiment: Experiment) -> tuple[Phase, ...]:
    """Declare the phase."""
    rows = "replay" if replay_iterations(experiment.algorithm) > 1 else "batch"
    return (
        Phase(
            name="training",
            where="device",
            program="iteration",
            reads=(*NETWORK, "opt_state", rows, "iteration"),
            writes=(*NETWORK, "opt_state", "finite"),
            streams=(SHUFFLE, *part_streams(experiment.model)),
            timer="timings/training",
            implementation=build,
            doc="Shuffles the valid rows and makes the epochs of minibatch updates.",
        ),
    )


def init_params(context: Context, values: Values, root_key: Array) -> Any:
    """Draw the parameters from the stream `init`."""
    del values
    return context.network.init(stream_key(root_key, "init", 0)).params


def init_model_state(context: Context, values: Values, root_key: Array) -> Any:
    """Make the network's untrained variables, from the same draw as the parameters."""
    del values
    if not context.network.abstract_state:
        return {}  # tracing the network's start once more would only cost time
    return context.network.init(stream_key(root_key, "init", 0)).model_state


def init_opt_state(context: Context, values: Values, root_key: Array) -> Any:
    """Make the optimizer's state for the fresh parameters."""
    del root_key
    return context.algorithm.init(values["params"])


def build(context: Context, phase: Phase) -> PhaseFunction:
    """Build the phase."""
    keeps = replay_iterations(context.experiment.algorithm) > 1

    def run(values: Values):
        learned = context.algorithm.update(
            network_variables(values),
            values["opt_state"],
            kept_rows(values["replay"]) if keeps else values["batch"],
            keys={name: values[stream_value(name)] for name in phase.streams},
            iteration=values["iteration"],
        )
        writes: dict[str, Any] = {
            "params": learned.variables.params,
            "model_state": learned.variables.model_state,
            "opt_state": learned.opt_state,
            "finite": all_finite(learned.metrics),
        }
        return writes, learned.metrics

    return run
