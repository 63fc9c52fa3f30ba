"""Samples are the rows that are trained on, and writing them changes no bit of anything else."""

import errno
import json
import math
import re
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pyspiel
import pytest

from jaxpot.loop.phase import Phase
from jaxpot.loop.phases import compile_graph, samples
from jaxpot.loop.plan import programs
from jaxpot.spec import Debug, PayloadKey
from jaxpot.store.samples import dumps, read_samples
from tests.algorithms.test_advantages import reference_gae
from tests.docs.pages import page
from tests.evaluators.boards import observation
from tests.loop.running import events, rows, trace, train, train_graph
from tests.tiny import tiny_experiment

pytestmark = pytest.mark.usefixtures("shared_programs")

WHOLE = {"collect": {"num_steps": 9, "random": {"until": None}}, "eval": None}
COUNT = 80


def sampled(tmp_path, overrides=WHOLE, **debug):
    table = {"every": 2, "samples": COUNT, **debug}
    return train(tiny_experiment(overrides=overrides, iterations=4, debug=table), tmp_path)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    experiment = tiny_experiment(overrides=WHOLE, iterations=4)
    return train(experiment, tmp_path_factory.mktemp("plain"))


@pytest.fixture
def result(tmp_path):
    return sampled(tmp_path)


def games(dump):
    """The rows of each game, opponents' moves included."""
    found = {}
    for row in dump["samples"]:
        found.setdefault((row["collector"], row["lane"], row["game"]), []).append(row)
    return list(found.values())


def dump_of(result, done=2):
    return read_samples(dumps(result.run_dir)[done])


@pytest.mark.slow
def test_no_bit_of_training_changes(result, plain):
    assert trace(result) == trace(plain)
    assert sorted(dumps(result.run_dir)) == [2, 4]


@pytest.mark.slow
def test_they_compile_what_the_plan_says(compiles, tmp_path):
    result = sampled(tmp_path)
    planned = programs(
        compile_graph(tiny_experiment(overrides=WHOLE, iterations=4, debug={"every": 2}))
    )
    compiled = {event["program"] for event in events(result, "compile")}
    assert compiled <= set(planned)
    assert set(compiles) <= {re.sub(r"\W", "_", name) for name in planned}
    assert [name for name in planned if name.startswith("samples")] == ["samples[selfplay+random]"]


def test_a_dump_is_bounded_and_of_whole_games(result):
    dump = dump_of(result)
    assert (dump["iteration"], dump["attempt"], dump["exact"]) == (1, 1, True)
    assert COUNT - 9 - 9 < len(dump["samples"]) <= COUNT
    assert {row["collector"] for row in dump["samples"]} == {"selfplay", "random"}
    for game in games(dump):
        assert [row["step"] for row in game] == list(
            range(game[0]["step"], game[0]["step"] + len(game))
        )
        assert not any(row["done"] for row in game[:-1])
        assert game[-1]["done"] or game[-1]["step"] == 8


def test_boards_and_legal_actions_are_those_of_the_rules(result):
    checked = 0
    for game in games(dump_of(result)):
        assert [row["ply"] for row in game] == [game[0]["ply"] + i for i in range(len(game))]
        if game[0]["ply"]:
            continue  # it began in an earlier iteration
        state = pyspiel.load_game("tic_tac_toe").new_initial_state()
        for row in game:
            assert row["legal_actions"] == state.legal_actions()
            seen = observation("tic_tac_toe", state)
            assert np.array_equal(np.array(row["observation"], bool), seen)
            drawn = row["board"].replace(" ", "").splitlines()[:3]
            assert drawn == str(state).upper().splitlines()
            assert row["action"] in row["legal_actions"]
            state.apply_action(row["action"])
            checked += 1
        assert state.is_terminal() == game[-1]["done"]
    assert checked > 20


def test_policies_are_those_that_played(result):
    for row in dump_of(result)["samples"]:
        if not row["trained"]:
            assert row["collector"] == "random" and "probabilities" not in row
            continue
        assert sum(row["probabilities"]) == pytest.approx(1, abs=1e-5)
        played = row["probabilities"][row["legal_actions"].index(row["action"])]
        assert math.log(played) == pytest.approx(row["log_prob"], abs=1e-5)


def test_advantages_and_returns_are_the_oracles(result):
    checked = 0
    for game in games(dump_of(result)):
        if not game[-1]["done"]:
            continue  # what follows the cut is not in the dump
        column = {
            "value": np.array([[row.get("value", 0.0)] for row in game]),
            "reward": np.array([[row["reward"]] for row in game]),
            "done": np.array([[row["done"]] for row in game]),
            "seat": np.array([[row["seat"]] for row in game]),
        }
        nothing = {"final_value": np.zeros((1, 2)), "bootstrap_mask": np.zeros((1, 2), bool)}
        advantage, _, known = reference_gae({**column, **nothing}, 0.99, 0.95)
        for row, expected in zip(game, advantage[:, 0], strict=True):
            if row["trained"]:
                assert row["advantage"] == pytest.approx(expected, abs=2e-5)
                assert row["return"] == pytest.approx(expected + row["value"], abs=2e-5)
                assert row["valid"] and known.all()
                checked += 1
    assert checked > 20


@pytest.mark.slow
def test_they_are_the_rows_that_training_was_given(tmp_path):
    """A separate phase in the iteration's program tells of the batch; the dump has all of it."""
    names = ("log_prob", "value", "advantage", "target")

    def spy(context, phase):
        del context, phase

        def run(values):
            batch = values["batch"]
            data = {**batch.extras, **batch.targets}
            valid = batch.valid
            lowest = {f"spy/{n}": jnp.where(valid, data[n], jnp.inf).min() for n in names}
            count = (batch.observation.any(axis=(1, 2, 3)) & valid).sum(dtype=jnp.int32)
            return {}, {**lowest, "spy/seen": count}

        return run

    options = {"unit": "", "doc": "Tells.", "phase": "spy"}
    keys = [PayloadKey(name=f"spy/{name}", dtype="float", **options) for name in names]
    phase = Phase(
        name="spy",
        where="device",
        program="iteration",
        reads=("batch",),
        keys=(*keys, PayloadKey(name="spy/seen", dtype="int", **options)),
        implementation=spy,
    )
    experiment = tiny_experiment(
        overrides=WHOLE, iterations=2, debug={"every": 2, "samples": 16 * 9}
    )
    graph = compile_graph(experiment).with_phase(phase, after="concatenate_batches")
    result = train_graph(experiment, graph, tmp_path)
    reported = rows(result)[1]
    valid = [row for row in dump_of(result)["samples"] if row["trained"] and row["valid"]]
    assert len(valid) == reported["iteration/num_valid_samples"]
    for name in names:
        lowest = min(row["return" if name == "target" else name] for row in valid)
        assert np.float32(lowest) == np.float32(reported[f"spy/{name}"])
    assert sum(np.any(row["observation"]) for row in valid) == reported["spy/seen"]


def test_a_resumed_run_writes_the_same_samples(result, tmp_path):
    from jaxpot.loop import run as runner

    stopped = train(
        tiny_experiment(overrides=WHOLE, iterations=4, debug={"every": 2, "samples": COUNT}),
        tmp_path / "again",
        iterations=3,
    )
    resumed = runner.resume(tmp_path / "again", stopped.uid, ingest=False)
    first, second = dump_of(result, 4), dump_of(resumed, 4)
    assert (first.pop("attempt"), second.pop("attempt")) == (1, 2)
    assert first == second


def test_only_the_newest_are_kept(tmp_path):
    assert sorted(dumps(sampled(tmp_path, keep_last=1).run_dir)) == [4]


def test_a_full_disk_warns_once_and_training_goes_on(tmp_path, monkeypatch, plain):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(samples, "write_samples", full)
    result = sampled(tmp_path)
    assert trace(result) == trace(plain)
    assert [event["text"] for event in events(result, "warning")] == [
        "samples are not written: OSError: [Errno 28] No space left on device"
    ]


def test_numbers_read_back_as_they_were():
    values = np.array([0.1, 1 / 3, np.nan, np.inf], np.float32)
    reported = samples._plain(values)
    assert reported[:1] == [0.1]
    assert np.array_equal(np.array(reported, np.float32), values, equal_nan=True)
    assert json.dumps(samples._plain(np.array([True, False]))) == "[1, 0]"
    assert samples._plain(np.bool_(True)) is True


def test_the_page_says_what_a_row_has(result):
    table = page("docs/samples.md").partition("| of a row | |")[2].partition("\n\n")[0]
    lines = [line for line in table.splitlines()[2:] if "| AlphaZero" not in line]
    reported = re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in lines))
    rows = dump_of(result)["samples"]
    assert {key for row in rows for key in row} == set(reported)
    whole = [row for row in rows if row["trained"]]
    assert [sorted(row) for row in whole] == [sorted(reported)] * len(whole)


def test_a_description_that_fails_costs_a_warning():
    class Game:
        def describe(self, observation):
            raise ValueError("no board")

    class Warnings:
        def __init__(self):
            self.texts = []

        def warn(self, text):
            self.texts.append(text)

    warnings = Warnings()
    attempt = SimpleNamespace(context=SimpleNamespace(env=Game()), recorder=warnings)
    sampler = samples.Sampler(Debug(every=1), attempt)  # pyright: ignore
    assert [sampler._describe(np.zeros(3)) for _ in range(2)] == [None, None]
    assert warnings.texts == ["an observation is not described: ValueError: no board"]
