"""Shapes are traced, never compiled; parts that do not fit are refused."""

import jax
import pytest

from jaxpot.errors import UserError
from jaxpot.loop import plan
from jaxpot.loop.context import build_context
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.shapes import abstract_state, check_shapes, plan_details
from tests.loop.running import train
from tests.tiny import tiny_experiment

LEAGUE = {
    "collect": {
        "random": {"num_envs": 8, "until": 2},
        "league": {"num_envs": 8},
        "archive": {"num_envs": 4},
    },
    "league": {"size": 2, "archive_size": 3, "add_every": 1, "base_unit": 2},
    "target": {"tau": 0.1},
    "eval": {"archive": {"kind": "archive", "every": 2, "num_games": 4}},
}


@pytest.mark.parametrize("overrides", [{}, LEAGUE], ids=["plain", "league"])
def test_checking_shapes_compiles_nothing(compiles, tmp_path, overrides):
    experiment = tiny_experiment(overrides=overrides)
    build_context(experiment, tmp_path)  # pgx computes constants as it is imported
    compiles.clear()
    jax.clear_caches()
    check_shapes(experiment, tmp_path)
    assert compiles == []


def test_the_states_shapes_are_those_of_a_made_state(tmp_path):
    experiment = tiny_experiment()
    graph, context = compile_graph(experiment), build_context(experiment, tmp_path)
    shapes = abstract_state(graph, context)
    assert set(shapes) == {field.name for field in graph.fields}
    details = plan_details(experiment, graph, tmp_path)
    # 18 inputs, 8 hidden, 9 logits and a value, each layer with its biases.
    assert details["parameters"] == (18 * 8 + 8) + (8 * 9 + 9) + (8 + 1)
    assert details["memory"]["state_bytes"] >= 3 * 4 * details["parameters"]
    assert set(details["memory"]) == {"state_bytes", "iteration_bytes"}


def test_the_pool_is_told_apart_and_shown(tmp_path):
    experiment = tiny_experiment(overrides=LEAGUE)
    graph = compile_graph(experiment)
    details = plan_details(experiment, graph, tmp_path)
    memory = details["memory"]
    size = 5 * 4 * details["parameters"]
    assert (memory["pool_bytes"], memory["pool_entries"]) == (size, 5)
    assert memory["state_bytes"] > size
    line = (
        f"league pool on each device: {size / 1024:.1f} KiB, 5 entries of {size // 5} B; "
        "part of the state"
    )
    assert line in plan.render_text(graph, details)
    assert plan.render_json(graph, details)["memory"] == memory


def test_an_opponent_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    evaluator = {"kind": "checkpoint", "every": 2, "num_games": 4, "run": "none"}
    experiment = tiny_experiment(overrides={"eval": {"old": evaluator}})
    for refused in (
        lambda: check_shapes(experiment, tmp_path),
        lambda: plan_details(experiment, compile_graph(experiment), tmp_path),
        lambda: train(experiment, tmp_path),
    ):
        with pytest.raises(UserError, match=r"eval\.old\.run: there is no run in"):
            refused()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.promotes_ranks
def test_a_game_larger_than_the_tree_evaluator_takes_is_refused_before_anything_runs():
    with pytest.raises(UserError, match="positions"):
        tiny_experiment(overrides={"env": {"id": "connect_four"}})
