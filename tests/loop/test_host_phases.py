"""Host phases: the loop runs those that the graph lists, in its order, and no others."""

import jax
import jax.numpy as jnp
import pytest

from jaxpot.errors import UserError
from jaxpot.loop import plan
from jaxpot.loop.lower import PhaseError
from jaxpot.loop.phase import Cadence, Field, Phase, stream_value
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.run import resume, run
from jaxpot.spec import PayloadKey
from tests.loop.running import rows, trace, train
from tests.tiny import tiny_experiment

pytestmark = pytest.mark.usefixtures("shared_programs")

EXPERIMENT = tiny_experiment(overrides={"eval": None})
EVERY = 3


def key(name, **options):
    return PayloadKey(name=name, unit="", doc="A test's.", phase="calls", every=EVERY, **options)


KEYS = (
    key("calls/number", dtype="int"),
    key("calls/loss", dtype="float"),
    key("calls/draw", dtype="float"),
    key("timings/calls", dtype="float", wall_clock=True),
)


def with_calls(seen, **options):
    """Return a graph with a host phase that counts its calls in a field, and logs what it finds."""

    def build(context, phase):
        def call(values):
            seen.append((int(values["iteration"]), sorted(values)))
            number = values["calls"] + 1
            metrics = {
                "calls/number": number,
                "calls/loss": values["payload"]["total_loss"],
                "calls/draw": jax.random.uniform(values[stream_value("calls")]),
            }
            return {"calls": number}, metrics

        return call

    phase = Phase(
        **{
            "name": "calls",
            "where": "host",
            "cadence": Cadence(every=EVERY),
            "reads": ("calls", "payload"),
            "writes": ("calls",),
            "streams": ("calls",),
            "timer": "timings/calls",
            "keys": KEYS,
            "waits": True,
            "implementation": build,
            **options,
        }
    )
    field = Field(name="calls", init=lambda *_: jnp.int32(0))
    return compile_graph(EXPERIMENT).with_phase(phase, before="log_payload", fields=(field,))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with the phase, and what the phase saw."""
    seen = []
    graph = with_calls(seen)
    runs_dir = tmp_path_factory.mktemp("runs")
    return run(EXPERIMENT, runs_dir=runs_dir, graph=graph, ingest=False), seen, graph


def test_a_host_phase_from_outside_runs_at_its_cadence(whole):
    result, seen, _ = whole
    given = ["calls", "iteration", "payload", "stream.calls"]
    assert seen == [(2, given), (5, given)]
    found = {row["iter"]: row for row in rows(result) if "calls/number" in row}
    assert {t: row["calls/number"] for t, row in found.items()} == {2: 1, 5: 2}
    assert all(row["calls/loss"] == row["total_loss"] for row in found.values())
    assert all(row["timings/calls"] > 0 for row in found.values())
    assert found[2]["calls/draw"] != found[5]["calls/draw"]


def test_it_is_planned(whole):
    graph = whole[2]
    shown = plan.render_mermaid(graph, {})
    assert 'calls(["calls<br/>host, every 3"])' in shown
    names = [phase.name for phase in graph.phases]
    assert names[names.index("calls") + 1] == "log_payload"


def test_what_it_keeps_is_resumed(whole, tmp_path):
    graph = with_calls([])
    stopped = run(EXPERIMENT, runs_dir=tmp_path, graph=graph, iterations=4, ingest=False)
    resumed = resume(tmp_path, stopped.uid, graph=graph, ingest=False)
    assert trace(resumed) == trace(whole[0])


def test_a_phase_that_is_removed_does_not_run(tmp_path):
    graph = compile_graph(EXPERIMENT)
    saved = train(EXPERIMENT, tmp_path / "saved")
    graph = graph.without_phase("persistence")
    result = run(EXPERIMENT, runs_dir=tmp_path / "not", graph=graph, ingest=False)
    checkpoints = sorted(path.name for path in (saved.run_dir / "checkpoints").iterdir())
    assert len(checkpoints) > 1
    assert [p.name for p in (result.run_dir / "checkpoints").iterdir()] == checkpoints[-1:]
    assert trace(result) == trace(saved)


@pytest.mark.parametrize("name", ["transfer_metrics", "log_payload", "training"])
def test_a_phase_that_others_need_is_not_removed(name):
    with pytest.raises(UserError, match=r"there is no phase|which no field and no earlier phase"):
        compile_graph(EXPERIMENT).without_phase(name)


def test_a_phase_that_emits_something_else_is_refused(tmp_path):
    def build(context, phase):
        return lambda values: ({"calls": values["calls"]}, {"calls/number": 1})

    graph = with_calls([], implementation=build)
    with pytest.raises(PhaseError, match=r"'calls' emits .*missing: calls/draw, calls/loss"):
        run(EXPERIMENT, runs_dir=tmp_path, graph=graph, ingest=False)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"after": "training"}, "stands within the iteration's program"),
        ({"after": "persistence"}, "does not run between 'transfer_metrics' and 'log_payload'"),
        ({"before": "advance_keys"}, "does not run between 'transfer_metrics' and 'log_payload'"),
        ({"after": "nowhere"}, "no phase is called 'nowhere'"),
    ],
)
def test_a_place_where_it_cannot_stand_is_refused(place, message):
    phase = Phase(name="calls", where="host", keys=(KEYS[0],), cadence=Cadence(every=EVERY))
    with pytest.raises(UserError, match=message):
        compile_graph(EXPERIMENT).with_phase(phase, **place)
