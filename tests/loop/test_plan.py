"""Plans of the shipped specs, pinned; `plan` names the programs that a run compiles."""

from pathlib import Path

import pytest

from jaxpot.loop import plan
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.shapes import plan_details
from jaxpot.spec import load
from tests.tiny import tiny_experiment

SPECS = sorted(Path(__file__).parents[2].glob("specs/*.toml"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_plans_of_the_shipped_specs(path, snapshot):
    experiment = load(path).experiment
    graph = compile_graph(experiment)
    details = plan_details(experiment, graph, Path("runs"))
    assert plan.render_text(graph, details) == snapshot(name="text")
    assert plan.render_mermaid(graph, details) == snapshot(name="mermaid")


def test_the_plan_as_data(snapshot):
    experiment = tiny_experiment()
    graph = compile_graph(experiment)
    assert plan.render_json(graph, plan_details(experiment, graph, Path("runs"))) == snapshot


def test_samples_are_planned_for():
    debug = {"every": 2}
    overrides = {"runtime": {"profile_every": 100}}
    plain = compile_graph(tiny_experiment(overrides=overrides))
    graph = compile_graph(tiny_experiment(overrides=overrides, debug=debug))
    assert graph.phase("samples").cadence.every == 2
    assert [name for name in plan.programs(graph) if name not in plan.programs(plain)] == [
        "step[selfplay+random]/advance_keys",
        "step[selfplay+random]/collect_selfplay",
        "step[selfplay+random]/collect_random",
        "step[selfplay+random]/concatenate_batches",
        "samples[selfplay+random]",
        "step[selfplay]/advance_keys",
        "step[selfplay]/collect_selfplay",
        "step[selfplay]/concatenate_batches",
        "samples[selfplay]",
    ]
    timed = {"runtime": {"profile_every": 1}}
    both = compile_graph(tiny_experiment(overrides=timed, debug=debug))
    alone = compile_graph(tiny_experiment(overrides=timed))
    assert set(plan.programs(both)) - set(plan.programs(alone)) == {
        "samples[selfplay+random]",
        "samples[selfplay]",
    }
