"""Each program compiles once, nothing else compiles, and the hot loop moves nothing by itself."""

import re

import jax
import numpy as np
import pgx.tic_tac_toe  # noqa: F401 - its import deals constants, a program each
import pytest

from jaxpot.loop import plan
from jaxpot.loop import train as training
from jaxpot.loop.lower import metric_names
from jaxpot.loop.phases import compile_graph
from tests.loop.leagues import league_experiment
from tests.loop.running import events, rows, train
from tests.tiny import tiny_experiment


@pytest.mark.parametrize("profile_every", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_plans_programs_compile_once_and_nothing_else_does(tmp_path, compiles, profile_every):
    experiment = tiny_experiment(runtime={"profile_every": profile_every})
    jax.clear_caches()
    compiles.clear()
    result = train(experiment, tmp_path)
    planned = plan.programs(compile_graph(experiment))
    assert sorted(compiles) == sorted(re.sub(r"\W", "_", name) for name in planned)
    own = {event["program"] for event in events(result, "compile")}
    assert own == set(planned) - {"game_tree_deal", "game_tree_step"}


def test_a_program_refuses_other_shapes_instead_of_compiling_again(tmp_path):
    from jaxpot.loop.programs import Program

    program = Program("double", lambda x: x * 2, donate=False, on_compile=lambda name, s: None)
    assert program(np.ones(3, np.float32)).sum() == 6
    with pytest.raises(TypeError):
        program(np.ones(4, np.float32))
    assert program.compiles == 1


PLAIN = tiny_experiment(
    overrides={"eval": {"vs_random": None, "tree": None}, "collect": {"random": None}}
)


@pytest.mark.slow
@pytest.mark.usefixtures("shared_programs")
@pytest.mark.parametrize(
    ("experiment", "compiled_by"), [(PLAIN, 4), (league_experiment(), 20)], ids=["plain", "league"]
)
def test_the_hot_loop_moves_nothing_by_itself(tmp_path, monkeypatch, experiment, compiled_by):
    loop = training.train

    def guarded(attempt, goal):
        loop(attempt, compiled_by)  # compile first: constants are moved then
        with jax.transfer_guard("disallow"):
            loop(attempt, goal)

    monkeypatch.setattr(training, "train", guarded)
    assert train(experiment, tmp_path).iterations == experiment.iterations


@pytest.mark.slow
def test_no_key_is_consumed_twice(tmp_path):
    with jax.debug_key_reuse(True):
        jax.clear_caches()
        result = train(tiny_experiment(), tmp_path)
    jax.clear_caches()
    assert result.status == "completed"


def test_payload_keys_dtypes_and_cadence(tmp_path, snapshot):
    experiment = tiny_experiment(runtime={"profile_every": 3})
    graph = compile_graph(experiment)
    table = [
        f"{key.name}: {key.dtype} [{key.unit}] {plan.presence(key)}"
        + (" (wall clock)" if key.wall_clock else "")
        for key in graph.keys
    ]
    assert table == snapshot(name="declared")
    payload = rows(train(experiment, tmp_path))
    assert [sorted(row) for row in payload] == snapshot(name="emitted")
    types = {key.name: {"int": int, "float": float}[key.dtype] for key in graph.keys}
    for row in payload:
        assert {name: type(value) for name, value in row.items()} == {n: types[n] for n in row}


def test_metrics_are_packed_by_declared_type():
    graph = compile_graph(tiny_experiment())
    ints, floats = metric_names(graph.regimes()[0].phases)
    assert "iteration/env_steps" in ints
    assert "total_loss" in floats
    assert not set(ints) & set(floats)
