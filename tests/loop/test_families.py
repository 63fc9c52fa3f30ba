"""Every shipped spec of a family of networks or of an algorithm, made small: D1, D2 and D3."""

from pathlib import Path

import pytest

from jaxpot.loop.phases import compile_graph
from jaxpot.loop.plan import programs
from jaxpot.loop.run import resume
from jaxpot.spec import from_resolved, load, resolved
from jaxpot.spec.registry import REGISTRIES
from tests.loop.running import events, rows, trace, train
from tests.marks import slow_except
from tests.tiny import merged

pytestmark = pytest.mark.usefixtures("shared_programs")

SPECS = Path(__file__).parents[2] / "specs"
FILES = {
    path.stem: path
    for path in (
        *sorted(SPECS.glob("families/*.toml")),
        *(SPECS / f"{name}.toml" for name in ("ttt_alphazero", "connect_four_alphazero")),
        SPECS / "kuhn_poker_lstm.toml",
    )
}
ITERATIONS = 4
SMALL = {
    "hidden_dims": [4],
    **dict.fromkeys(("num_filters", "hidden_size", "width", "head_dim"), 4),
    "num_blocks": 1,
    "num_layers": 1,
    "num_heads": 2,
    "batch_size": 18,
    "num_simulations": 3,
}
TARGET = {
    "target": {"tau": 0.5},
    "auxiliary": {"game_progress": {}},
    "collect": {"selfplay": {"opponent": "target"}},
}
VARIANTS = {
    "mlp": {"model": {"dropout": 0.5, "value_head": "tanh"}},
    "conv": {"model": {"dtype": "bfloat16"}},
    "resnet": {"model": {"norm": "none"}},
    "az_net": {"algorithm": {"advantage": "per_seat_return", "gae_lambda": None}},
    "gru": {**TARGET, "model": {"dropout": 0.5}, "algorithm": {"vtrace": True}},
    "transformer": {"env": {"history": 2, "action_history": 1}},
    "ttt_alphazero": {**TARGET, "algorithm": {"opponent_acting": "search"}},
    "connect_four_alphazero": {
        "algorithm": {
            "policy": "muzero",
            "max_num_considered_actions": None,
            "gumbel_scale": None,
            "value_target": "n_step",
            "replay_iterations": 1,
        }
    },
}
"""What the shipped specs do not say themselves, and what else a state may hold."""

STEPPED = ("gru", "ttt_alphazero")
"""Cases whose iterations are timed, each phase as a separate program, which costs compiles."""


def experiment(case, profile_every):
    """Returns a shipped spec for a second's training, with nothing left out of what it names."""
    data = resolved(load(FILES[case]).experiment)
    for part in ("model", "algorithm"):
        data[part] = {key: SMALL.get(key, value) for key, value in data[part].items()}
    if data["model"]["memory"] != "none":
        data["model"]["memory"]["hidden_size"] = SMALL["hidden_size"]
    collect = {"num_steps": min(data["collect"]["num_steps"], 12), "random": None}
    if collect["num_steps"] == 12 and "seq_len" not in data["algorithm"]:
        collect["num_steps"] = 9
    data = merged(data, {"collect": collect | {"selfplay": {"num_envs": 4}}})
    data |= {"iterations": ITERATIONS, "eval": {}, "expect": [], "checkpoint": {"every": 2}}
    data["runtime"] = {"profile_every": profile_every if case in STEPPED else 0}
    return from_resolved(merged(data, VARIANTS.get(case, {})))


def test_every_kind_is_here():
    kinds = {registry.name: {row.kind for row in registry.rows} for registry in REGISTRIES}
    made = [experiment(case, 0) for case in FILES]
    assert {each.model.kind for each in made} == kinds["model"]
    memories = {each.model.memory.kind for each in made if each.model.memory is not None}
    assert memories == {"lstm", "gru"}
    assert {each.algorithm.kind for each in made} == kinds["algorithm"]


@pytest.mark.parametrize(
    "case",
    [
        *slow_except([case for case in FILES if case != "gru"], "mlp"),
        pytest.param("gru", marks=(pytest.mark.slow, pytest.mark.optimised)),
    ],
)
def test_neither_a_stop_nor_other_timed_iterations_change_a_bit(case, tmp_path):
    whole = train(experiment(case, profile_every=2), tmp_path)
    stopped = train(experiment(case, profile_every=3), tmp_path, iterations=2)
    resumed = resume(tmp_path, stopped.uid, ingest=False)
    assert trace(resumed) == trace(whole)
    assert resumed.digest == whole.digest
    losses = ("total_loss", *experiment(case, 0).auxiliary)
    assert all(len({row[loss] for row in rows(whole)}) == ITERATIONS for loss in losses)
    compiled = [event["program"] for event in events(whole, "compile")]
    assert len(compiled) == len(set(compiled))
    assert set(compiled) <= set(programs(compile_graph(experiment(case, profile_every=2))))
