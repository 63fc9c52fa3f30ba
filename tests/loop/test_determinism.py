"""D1 and D3: a run repeats itself, and nothing beside training changes training's bits."""

import jax
import pytest

from jaxpot.loop import attempt
from tests.loop.running import rows, trace, train
from tests.tiny import tiny_experiment

pytestmark = [pytest.mark.optimised, pytest.mark.usefixtures("shared_programs")]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return train(tiny_experiment(), tmp_path_factory.mktemp("plain"))


def digests(result):
    return [digest for _, digest, _ in trace(result)]


def training(result):
    """Every metric of training itself, without evaluations."""
    return [
        {key: value for key, value in values.items() if not key.startswith("eval_")}
        for _, _, values in trace(result)
    ]


def test_two_runs_are_equal(plain, tmp_path):
    again = train(tiny_experiment(), tmp_path)
    assert trace(again) == trace(plain)
    assert again.digest == plain.digest
    assert len(plain.digest) == 16


def test_another_seed_is_another_run(plain, tmp_path):
    other = train(tiny_experiment(seed=43), tmp_path)
    assert not set(digests(other)) & set(digests(plain))


def test_seeds_beyond_int32_run(tmp_path):
    assert train(tiny_experiment(seed=2**32 - 1, iterations=1), tmp_path).iterations == 1


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param({"runtime": {"profile_every": 1}}, marks=pytest.mark.slow),
        pytest.param({"runtime": {"profile_every": 3}}, marks=pytest.mark.slow),
        {"checkpoint": {"every": 1}},
        {"checkpoint": {"every": None}},
        {"eval": {"vs_random": {"every": 1}}},
        pytest.param(
            {"eval": {"vs_random": {"greedy": False, "num_games": 4}, "tree": None}},
            marks=pytest.mark.slow,
        ),
        {"expect": [{"metric": "total_loss", "min": -100}]},
        {"name": "other", "tags": ["a"]},
    ],
    ids=str,
)
def test_what_stands_beside_training_changes_none_of_its_bits(plain, tmp_path, overrides):
    result = train(tiny_experiment(overrides=overrides), tmp_path)
    assert digests(result) == digests(plain)
    assert training(result) == training(plain)


@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["one at a time", "all at once"])
def test_the_length_of_a_chunk_changes_no_bit(plain, tmp_path, monkeypatch, seconds):
    monkeypatch.setattr(attempt, "_FETCH_SECONDS", seconds)
    assert trace(train(tiny_experiment(), tmp_path)) == trace(plain)


@pytest.mark.slow
def test_the_compilation_cache_changes_no_bit(tmp_path):
    less = {"collect": {"random": None}, "eval": {"vs_random": None, "tree": None}}
    plain = train(tiny_experiment(overrides=less), tmp_path)
    cached = jax.config.jax_enable_compilation_cache
    try:
        uncached = less | {"runtime": {"compilation_cache": False}}
        assert trace(train(tiny_experiment(overrides=uncached), tmp_path)) == trace(plain)
    finally:
        jax.config.update("jax_enable_compilation_cache", cached)


@pytest.mark.slow
def test_a_convolutional_networks_stepped_iterations_have_the_same_bits(tmp_path):
    overrides = {
        "env": {"id": "connect_four"},
        "model": {"kind": "resnet", "hidden_dims": None, "num_filters": 8, "num_blocks": 1},
        "collect": {"random": None},
        "eval": None,
    }
    experiment = tiny_experiment(overrides=overrides, iterations=4)
    stepped = tiny_experiment(overrides=overrides | {"runtime": {"profile_every": 1}}, iterations=4)
    assert digests(train(stepped, tmp_path)) == digests(train(experiment, tmp_path))


def test_a_shortened_runs_payload_is_a_prefix(plain, tmp_path):
    short = train(tiny_experiment(), tmp_path, iterations=5)
    assert short.status == "stopped"
    assert short.exit_code == 0
    assert trace(short) == trace(plain)[:5]


@pytest.mark.slow
def test_a_collector_does_not_depend_on_the_others(tmp_path):
    alone = train(tiny_experiment(overrides={"collect": {"random": None}}), tmp_path, iterations=1)
    both = train(tiny_experiment(), tmp_path, iterations=1)
    (a,), (b,) = rows(alone), rows(both)
    # Random play adds its own games; those of self-play are the same ones.
    assert b["iteration/env_steps"] == 2 * a["iteration/env_steps"]
    random_games = b["iteration/rollouts"] - a["iteration/rollouts"]
    assert b["iteration/episodes"] - a["iteration/episodes"] == random_games
