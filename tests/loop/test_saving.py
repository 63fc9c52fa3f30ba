"""What is saved when, and with what: a saver beside a writer that only listens."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from jaxpot.league import ARCHIVE, LEAGUE, empty_table
from jaxpot.loop.clock import Clock
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.run import resume
from jaxpot.loop.saving import Saver
from tests.journal.reading import records
from tests.loop.leagues import league_experiment
from tests.loop.running import journal, train
from tests.tiny import tiny_experiment


class Writer:
    """Keeps what it is given."""

    def __init__(self):
        self.saved = []

    def accepted(self, types, iteration, score):
        return types

    def save(self, state, **given):
        self.saved.append({"state": state, **given})

    def wait(self):
        pass


class Journal:
    """Counts how often it is synced, and takes its time."""

    def __init__(self, clock):
        self.clock = clock

    def sync(self):
        self.clock.now += 2.0


@pytest.fixture
def now(monkeypatch):
    """A clock that only the journal moves."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("jaxpot.loop.saving.time.perf_counter", lambda: clock.now)
    return clock


def saver_of(experiment, writer, now):
    graph = compile_graph(experiment)
    return Saver(
        experiment.checkpoint, graph, writer, Journal(now), Clock(), metadata={}, saved_at=None
    )


class Kept:
    """A league that counts how often it is checked."""

    def __init__(self):
        self.checked = 0

    def check(self, state):
        self.checked += 1


def recorder(**newest):
    last = {"train_vs_archive/reward": 0.25, **newest}
    return SimpleNamespace(newest=newest, last=last, counters={"num_rollouts": 3}, digest="ab" * 8)


def test_what_a_save_is_given(now):
    writer = Writer()
    saver = saver_of(tiny_experiment(), writer, now)
    state = {"params": np.zeros(2)}
    saver.after(3, state, recorder(), Kept())
    (saved,) = writer.saved
    assert saved == {
        "state": state,
        "iteration": 4,
        "types": frozenset({"periodic"}),
        "metadata": {"counters": {"num_rollouts": 3}, "digest": "ab" * 8},
        "league": None,
        "score": None,
        "waiting_since": 100.0,
    }
    assert now.now == 102.0


def test_a_league_is_listed_by_slot(now):
    writer = Writer()
    saver = saver_of(league_experiment(), writer, now)
    table = empty_table(4)._replace(
        place=np.int32([ARCHIVE, 0, LEAGUE, 0]),
        active=np.array([True, False, False, False]),
        score=np.float32([0.5, 0, -0.05, 0]),
        rollouts=np.uint32([7, 0, 0, 0]),
        born=np.int32([3, 0, 6, 0]),
        digest=np.uint32([[1, 2], [0, 0], [3, 4], [0, 0]]),
    )
    saver.after(3, {"league": table}, recorder(), Kept())
    first, second = writer.saved[0]["league"]
    assert first == {
        "slot": 0, "name": "iter_000003", "place": "archive", "active": True, "score": 0.5,
        "rollouts": 7, "digest": "0000000100000002",
    }  # fmt: skip
    assert (second["slot"], second["name"], second["place"]) == (2, "iter_000006", "league")


def test_best_ranks_only_by_a_value_of_this_very_iteration(now):
    """A key that comes and goes with the league is not ranked by the value it had before."""
    best = {"metric": "train_vs_archive/reward", "every": 1, "keep": 2}
    experiment = league_experiment({"checkpoint": {"best": best, "every": 4}})
    writer = Writer()
    saver = saver_of(experiment, writer, now)
    assert saver.fires(12)
    saver.after(12, {}, recorder(), Kept())
    assert writer.saved == []
    saver.after(13, {}, recorder(**{"train_vs_archive/reward": -0.5}), Kept())
    saver.after(15, {}, recorder(), Kept())
    found = [(saved["iteration"], set(saved["types"]), saved["score"]) for saved in writer.saved]
    assert found == [(14, {"best"}, -0.5), (16, {"periodic"}, None)]


@pytest.mark.usefixtures("shared_programs")
@pytest.mark.parametrize(("whole", "ending"), [(True, "committed"), (False, "failed")])
def test_a_save_whose_end_was_not_recorded_is_settled_by_the_next_attempt(tmp_path, whole, ending):
    """Killed between the last step of a save and its record, or in the middle of it."""
    stopped = train(tiny_experiment(), tmp_path, iterations=4)
    path = journal(stopped)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    kept = [r for r in lines if r["kind"] != "checkpoint" or r["state"] == "begun"]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in kept))
    if not whole:
        (tmp_path / stopped.checkpoint / "metadata.json").unlink()
    result = resume(tmp_path, stopped.uid, ingest=False)
    reported = [
        record
        for record in records(journal(result), kinds=("checkpoint",))
        if (record["type"], record["iteration"], record["attempt"]) == ("periodic", 4, 2)
    ]
    assert reported[0]["state"] == ending
    assert [record["state"] for record in reported].count(ending) == 1
    assert (reported[0]["bytes"] is not None) == whole
