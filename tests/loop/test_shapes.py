"""Shapes are traced, never compiled; parts that do not fit are refused."""

import jax
import pytest

from jaxpot.errors import UserError
from jaxpot.graph import compile_graph
from jaxpot.loop.context import build_context
from jaxpot.loop.shapes import abstract_state, check_shapes, plan_details
from jaxpot.testing.tiny import tiny_experiment


def test_checking_shapes_compiles_nothing(compiles):
    jax.clear_caches()
    check_shapes(tiny_experiment())
    assert compiles == []


def test_the_states_shapes_are_those_of_a_made_state():
    experiment = tiny_experiment()
    graph, context = compile_graph(experiment), build_context(experiment)
    shapes = abstract_state(graph, context)
    assert set(shapes) == {field.name for field in graph.fields}
    details = plan_details(experiment, graph)
    # 18 inputs, 8 hidden, 9 logits and a value, each layer with its biases.
    assert details["parameters"] == (18 * 8 + 8) + (8 * 9 + 9) + (8 + 1)
    assert details["memory"]["state_bytes"] >= 3 * 4 * details["parameters"]


@pytest.mark.promotes_ranks
def test_a_game_larger_than_the_tree_evaluator_takes_is_refused_before_anything_runs():
    with pytest.raises(UserError, match="positions"):
        tiny_experiment(overrides={"env": {"id": "connect_four"}})
