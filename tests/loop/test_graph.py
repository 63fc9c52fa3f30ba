"""The graph keeps the contract's order, finds its regimes, and refuses what does not fit."""

import pytest

from jaxpot.errors import UserError
from jaxpot.loop.phase import Cadence, Phase
from jaxpot.loop.phases import compile_graph
from jaxpot.spec import PayloadKey
from tests.tiny import tiny_experiment


def test_the_order_of_an_iteration():
    names = [phase.name for phase in compile_graph(tiny_experiment()).phases]
    assert names == [
        "advance_keys",
        "collect_selfplay",
        "collect_random",
        "concatenate_batches",
        "training",
        "advance_iteration",
        "guard",
        "digest",
        "transfer_metrics",
        "eval_vs_random",
        "eval_tree",
        "log_payload",
        "persistence",
        "tick",
    ]


def test_regimes_follow_the_warm_up():
    graph = compile_graph(tiny_experiment())
    assert [(r.name, r.start, r.until) for r in graph.regimes()] == [
        ("selfplay+random", 0, 3),
        ("selfplay", 3, 8),
    ]
    assert [graph.regime_at(t).name for t in (0, 2, 3, 7)] == [
        "selfplay+random",
        "selfplay+random",
        "selfplay",
        "selfplay",
    ]


def test_a_random_share_without_end_is_one_regime():
    graph = compile_graph(tiny_experiment(overrides={"collect": {"random": {"until": None}}}))
    assert [r.name for r in graph.regimes()] == ["selfplay+random"]


def test_a_warm_up_longer_than_the_run_is_one_regime():
    graph = compile_graph(tiny_experiment(overrides={"collect": {"random": {"until": 99}}}))
    assert [(r.name, r.until) for r in graph.regimes()] == [("selfplay+random", 8)]


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_every_n_fires_when_n_iterations_are_done(every):
    fired = [t for t in range(30) if Cadence(every=every).fires(t)]
    assert fired == [t for t in range(30) if (t + 1) % every == 0]


def test_absent_collectors_are_absent():
    graph = compile_graph(tiny_experiment(overrides={"collect": {"random": None}}))
    assert "collect_random" not in [phase.name for phase in graph.phases]
    assert "train_vs_random/reward" not in [key.name for key in graph.keys]


def _phase(**options):
    return Phase(
        name="extra",
        where="device",
        program="iteration",
        implementation=lambda c, p: None,
        **options,
    )


def test_a_phase_that_reads_what_nothing_provides_is_refused():
    graph = compile_graph(tiny_experiment())
    with pytest.raises(UserError, match=r"'extra' reads 'nowhere'.*batch"):
        graph.with_phase(_phase(reads=("nowhere",)), after="training")


def test_a_phase_that_reads_too_early_is_refused():
    graph = compile_graph(tiny_experiment())
    with pytest.raises(UserError, match="'extra' reads 'batch'"):
        graph.with_phase(_phase(reads=("batch",)), after="advance_keys")


def test_a_name_twice_is_refused():
    graph = compile_graph(tiny_experiment())
    with pytest.raises(UserError, match="phase named twice: training"):
        graph.with_phase(graph.phase("training"), after="guard")


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        (_phase(cadence=Cadence(every=2)), "'extra' is part of the iteration's program"),
        (
            Phase(name="extra", where="device", program="own", timer="timings/extra"),
            "has the timer 'timings/extra', which is none of its keys",
        ),
        (
            Phase(name="extra", where="device", program="own", reads=("batch",)),
            "reads 'batch', which is no field",
        ),
        (
            Phase(
                name="extra", where="device", program="own", cadence=Cadence(every=2),
                keys=(PayloadKey(name="x", dtype="int", unit="", doc="", phase="extra"),),
            ),
            "runs every 2, but its key 'x' declares otherwise",
        ),
    ],
)  # fmt: skip
def test_a_phase_that_would_fail_later_is_refused_at_once(phase, message):
    with pytest.raises(UserError, match=message):
        compile_graph(tiny_experiment()).with_phase(phase, after="digest")


def test_an_unknown_place_is_refused():
    with pytest.raises(UserError, match="no phase is called 'there'"):
        compile_graph(tiny_experiment()).with_phase(_phase(), after="there")
