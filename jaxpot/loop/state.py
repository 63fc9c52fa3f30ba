"""The training state: a dict of the graph's fields, and how each one starts.

A state is never changed in place; a program takes one and gives the next.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.graph import PhaseGraph
from jaxpot.loop.context import Context, resolve
from jaxpot.loop.streams import stream_key

State = dict[str, Any]


def init_state(graph: PhaseGraph, context: Context, root_key: Array) -> State:
    """Makes the state before iteration 0: a pure, traceable function of the root key."""
    state: State = {}
    for field in graph.fields:
        state[field.name] = resolve(field.init)(context, state, root_key)
    return state


def init_network(context: Context, values: Mapping[str, Any], root_key: Array) -> Any:
    """Draws the parameters from the stream `init`."""
    del values
    return context.network.init(stream_key(root_key, "init", 0))[0]


def init_model_state(context: Context, values: Mapping[str, Any], root_key: Array) -> Any:
    """Makes the network's untrained variables, from the same draw as the parameters."""
    del values
    if not context.network.abstract_state:
        return {}  # tracing the network's start once more would only add to the run's
    return context.network.init(stream_key(root_key, "init", 0))[1]


def init_opt_state(context: Context, values: Mapping[str, Any], root_key: Array) -> Any:
    """Makes the optimizer's state for the fresh parameters."""
    del root_key
    return context.algorithm.init(values["params"])


def init_key(context: Context, values: Mapping[str, Any], root_key: Array) -> Array:
    """Starts the chain at the root key."""
    del context, values
    return jax.random.key_data(root_key)


def init_iteration(context: Context, values: Mapping[str, Any], root_key: Array) -> Array:
    """Starts the count at 0."""
    del context, values, root_key
    return jnp.int32(0)


def init_nonfinite(context: Context, values: Mapping[str, Any], root_key: Array) -> Array:
    """Starts the flag unset."""
    del context, values, root_key
    return jnp.bool_(False)
