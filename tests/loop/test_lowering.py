"""Lowering folds over the graph: a phase from outside joins in, and one that cheats is refused."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from jaxpot.loop import plan
from jaxpot.loop.context import build_context
from jaxpot.loop.lower import PhaseError
from jaxpot.loop.phase import Field, Phase
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.shapes import trace_programs
from jaxpot.spec import PayloadKey
from tests.loop.running import events, rows, trace, train, train_graph
from tests.tiny import tiny_experiment

KEYS = (
    PayloadKey(name="noise", dtype="float", unit="", doc="A draw.", phase="extra"),
    PayloadKey(name="visits", dtype="int", unit="", doc="Calls.", phase="extra"),
    PayloadKey(
        name="timings/extra", dtype="float", unit="s", doc="Its time.", phase="extra", every=4,
        wall_clock=True,
    ),
)  # fmt: skip


def build_extra(context, phase):
    """An outsider's phase: counts its calls in its own field and draws from its stream."""
    del context, phase

    def run(values):
        visits = values["visits"] + 1
        noise = jax.random.normal(values["stream.extra"])
        return {"visits": visits}, {"noise": noise, "visits": visits}

    return run


def extra(implementation=build_extra, **options):
    declared = {
        "reads": ("visits",), "writes": ("visits",), "keys": KEYS, "streams": ("extra",),
        "timer": "timings/extra",
    }  # fmt: skip
    return Phase(
        name="extra", where="device", program="iteration", implementation=implementation,
        doc="A phase from outside the package.", **(declared | options),
    )  # fmt: skip


VISITS = Field(name="visits", init=lambda context, values, key: jnp.int32(0), doc="Calls.")


@pytest.mark.slow
def test_a_phase_from_outside_is_traced_timed_keyed_and_planned(tmp_path):
    less = {"collect": {"random": None}, "eval": {"vs_random": None, "tree": None}}
    experiment = tiny_experiment(runtime={"profile_every": 4}, overrides=less)
    graph = compile_graph(experiment).with_phase(extra(), after="training", fields=(VISITS,))
    result = train_graph(experiment, graph, tmp_path)

    payload = rows(result)
    assert [row["visits"] for row in payload] == list(range(1, 9))
    assert len({row["noise"] for row in payload}) == 8
    assert [row["iter"] for row in payload if "timings/extra" in row] == [3, 7]
    compiled = {event["program"] for event in events(result, "compile")}
    assert "step[selfplay]/extra" in compiled
    assert compiled <= set(plan.programs(graph))
    drawn = plan.render_json(graph, {"state": {}, "values": {}, "memory": {}, "parameters": 0})
    assert next(p for p in drawn["phases"] if p["name"] == "extra")["streams"] == ["extra"]

    # Its stream changes no other stream: training goes on as without it.
    without = train(experiment, tmp_path)
    ours = ("noise", "visits")
    stripped = [
        {k: v for k, v in values.items() if k not in ours} for _, _, values in trace(result)
    ]
    assert stripped == [values for _, _, values in trace(without)]


def lower(phase):
    experiment = tiny_experiment()
    graph = compile_graph(experiment).with_phase(phase, after="training", fields=(VISITS,))
    trace_programs(graph, build_context(experiment, Path("runs")))


def cheat(run):
    return extra(lambda context, phase: run)


METRICS = {"noise": jnp.float32(0), "visits": jnp.int32(0)}


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda v: ({"visits": v["params"]}, METRICS), "'extra' reads 'params' but declares only"),
        (lambda v: ({**v, "params": 1}, METRICS), "'extra' writes other .*undeclared: params"),
        (lambda v: ({}, METRICS), "'extra' writes other .*missing: visits"),
        (lambda v: ({"visits": v["visits"]}, {}), "'extra' emits other .*missing: noise, visits"),
        (
            lambda v: ({"visits": v["visits"]}, METRICS | {"more": jnp.float32(0)}),
            "'extra' emits other .*undeclared: more",
        ),
        (
            lambda v: ({"visits": v["visits"]}, METRICS | {"visits": jnp.float32(0)}),
            "metric 'visits' is float32.*, declared int32",
        ),
    ],
)
def test_a_phase_that_does_not_keep_to_its_declaration_fails_at_trace_time(run, message):
    with pytest.raises(PhaseError, match=message):
        lower(cheat(run))
