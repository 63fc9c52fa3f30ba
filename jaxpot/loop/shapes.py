"""Build an experiment and trace its shapes, without compiling: for a run, `check` and `plan`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import jax
import numpy as np

from jaxpot.loop.context import Context, build_context, parts_of
from jaxpot.loop.graph import PhaseGraph
from jaxpot.loop.lower import (
    ROOT_KEY_SHAPE,
    evaluation_inputs,
    init_state,
    inputs_of,
    lower_iteration,
    lower_phase,
    split_state,
    written_shapes,
)
from jaxpot.loop.memory import check_fits, tree_bytes
from jaxpot.loop.phase import State
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.streams import IMPLEMENTATION
from jaxpot.spec import Experiment, ImportedPart


@attrs.frozen(kw_only=True, eq=False)
class Built:
    """An experiment with its graph, its parts, and the shapes and dtypes of its state."""

    experiment: Experiment
    graph: PhaseGraph
    context: Context
    shapes: State


def abstract_state(graph: PhaseGraph, context: Context) -> State:
    """Return the state's shapes and dtypes, traced from how it is made."""

    def init(root_key: Any) -> State:
        return init_state(graph, context, jax.random.wrap_key_data(root_key, impl=IMPLEMENTATION))

    return jax.eval_shape(init, ROOT_KEY_SHAPE)


def build(
    experiment: Experiment,
    graph: PhaseGraph | None = None,
    *,
    runs_dir: Path,
    opponents: Mapping[str, Mapping[str, Any]] | None = None,
) -> Built:
    """Build every part and trace the state's shapes; compile and write nothing.

    If the user supplies a part, every program is traced, so that a part that breaks its declaration
    is refused before anything is written.

    Raises:
        UserError: A part refuses its config, parts do not fit one another, or the memory is too
            small.
    """
    if graph is None:
        graph = compile_graph(experiment)
    else:
        graph = attrs.evolve(graph, iterations=experiment.iterations)
    context = build_context(experiment, runs_dir, opponents or {})
    if any(isinstance(part, ImportedPart) for part in parts_of(experiment)):
        trace_programs(graph, context)
    shapes = abstract_state(graph, context)
    check_fits(graph, context, shapes)
    return Built(experiment=experiment, graph=graph, context=context, shapes=shapes)


def check_shapes(experiment: Experiment, runs_dir: Path) -> None:
    """Trace every program of `experiment` without compiling any.

    Evaluators that compile helpers as they are traced are left out. Evaluators find their opponents
    in `runs_dir`, the folder of all runs.

    Raises:
        UserError: Parts do not fit one another, or an opponent is missing or does not fit.
    """
    context = build_context(experiment, runs_dir)
    trace_programs(compile_graph(experiment), context, helpers=False)


def trace_programs(graph: PhaseGraph, context: Context, *, helpers: bool = True) -> None:
    """Trace every regime's iteration, every evaluator, and what runs between two iterations.

    `helpers` says whether to trace also the evaluators that compile helpers as they are traced.

    Raises:
        UserError: Parts do not fit one another, or one breaks its declaration.
    """
    state = abstract_state(graph, context)
    for regime in graph.regimes():
        changing, fixed = split_state(graph, regime, state)
        jax.eval_shape(lower_iteration(graph, regime, context), changing, fixed, ROOT_KEY_SHAPE)
    for phase in graph.evaluators:
        if helpers or not phase.helpers:
            now = jax.ShapeDtypeStruct((), np.int32)
            given = evaluation_inputs(
                phase, context.constants(phase.name), state, ROOT_KEY_SHAPE, now
            )
            jax.eval_shape(lower_phase(phase, context), given)
    for phase in graph.between:
        if phase.where == "host":
            continue
        jax.eval_shape(lower_phase(phase, context), inputs_of(phase, state))


def plan_details(experiment: Experiment, graph: PhaseGraph, runs_dir: Path) -> dict[str, Any]:
    """Return the part of a plan that needs tracing: shapes, parameters and bytes.

    Bytes are those on one device: of the state, and of the values that an iteration's phases hand
    to one another (an upper bound of what exists at a time, without temporaries). With a league,
    `pool_bytes` of the state are its entries' networks, `pool_entries` of them.

    Raises:
        UserError: A part refuses its config, or an opponent is missing or does not fit.
    """
    context = build_context(experiment, runs_dir)
    state = abstract_state(graph, context)
    values: dict[str, Any] = {}
    iteration_bytes = {}
    for regime in graph.regimes():
        written: dict[str, Any] = {}
        for shapes in written_shapes(regime, context, state):
            written |= shapes
        values |= written
        iteration_bytes[regime.name] = tree_bytes(written)
    memory: dict[str, Any] = {"state_bytes": tree_bytes(state), "iteration_bytes": iteration_bytes}
    if experiment.league is not None:
        memory["pool_bytes"] = tree_bytes(state["pool"])
        memory["pool_entries"] = experiment.league.slots
    return {
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(state["params"])),
        "state": _describe(state),
        "values": _describe(values),
        "memory": memory,
    }


def _describe(tree: Any) -> dict[str, str]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in leaves
    }
