"""The training state: a dict of the graph's fields, and how each one starts.

A state is never changed in place; a program takes one and gives the next.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.errors import UserError
from jaxpot.league import Table, empty_pool, empty_table
from jaxpot.loop import PhaseGraph
from jaxpot.loop.context import Context, resolve
from jaxpot.loop.streams import stream_key
from jaxpot.spec import League

State = dict[str, Any]

NETWORK = ("params", "model_state")
"""The fields that make the network: what the target follows and the league freezes."""


def init_state(
    graph: PhaseGraph, context: Context, root_key: Array, network: Mapping[str, Any] | None = None
) -> State:
    """Makes the state before iteration 0: a pure, traceable function of the root key.

    Args:
        graph: The graph, whose fields they are.
        context: The parts.
        root_key: The run's key.
        network: The fields of `NETWORK`, where they are given and not drawn; what is made from them
            (the optimizer's state, the target) is made from those.
    """
    state: State = {}
    for field in graph.fields:
        if network is not None and field.name in network:
            state[field.name] = network[field.name]
        else:
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


def init_target(context: Context, values: Mapping[str, Any], root_key: Array) -> Any:
    """Copies the fresh network; the copy shares no buffer with it."""
    del context, root_key
    network = {name: values[name] for name in NETWORK}
    return jax.tree.map(jnp.copy, network)


def init_league(context: Context, values: Mapping[str, Any], root_key: Array) -> Table:
    """Starts without entries."""
    del values, root_key
    return empty_table(league_of(context).slots)


def init_pool(context: Context, values: Mapping[str, Any], root_key: Array) -> Any:
    """Makes room for the entries' networks."""
    del root_key
    network = {name: values[name] for name in NETWORK}
    return empty_pool(network, league_of(context).slots)


def league_of(context: Context) -> League:
    """Returns the experiment's league.

    Raises:
        UserError: The graph has phases or fields of a league, and the experiment has none.
    """
    league = context.experiment.league
    if league is None:
        raise UserError("the graph has a league that the experiment does not configure")
    return league
