import math

import pytest

from jaxpot.store import Store
from jaxpot.verify import trace
from jaxpot.verify.trace import journal_rows, recorded_iterations, recorded_rows
from tests.store.journals import Writer

UID = "20261122-111530-bbbbbb"


@pytest.fixture
def run(tmp_path):
    run = Writer(tmp_path, UID)
    run.header()
    run.start()
    run.payloads(range(8))
    run.start(5)
    odd = {"total_loss": "NaN", "eval_vs_random/win_rate": "-Infinity", "iteration/sps": "NaN"}
    run.payload(5, odd)
    run.payload(6, {"total_loss": -0.0})
    run.payload(7)
    return run


def bits(rows):
    return [
        (row.iteration, row.digest, {key: repr(value) for key, value in row.values.items()})
        for row in rows
    ]


def test_the_store_and_the_journal_give_one_trace(run, tmp_path, monkeypatch):
    monkeypatch.setattr(trace, "_WINDOW", 3)
    store = Store(tmp_path)
    stop = recorded_iterations(store, UID)
    assert stop == 8
    rows = list(recorded_rows(store, UID, stop=stop))
    assert bits(rows) == bits(journal_rows(run.path))
    assert [row.iteration for row in rows] == list(range(8))
    assert all("iteration/sps" not in row.values for row in rows)
    assert math.isnan(rows[5].values["total_loss"])
    assert rows[5].values["eval_vs_random/win_rate"] == -math.inf
    assert repr(rows[6].values["total_loss"]) == "-0.0"
    assert [type(rows[0].values[key]) for key in ("iter", "total_loss")] == [int, float]


def test_a_part_of_a_run(run, tmp_path, monkeypatch):
    monkeypatch.setattr(trace, "_WINDOW", 1)
    rows = recorded_rows(Store(tmp_path), UID, start=2, stop=7, every=2)
    assert [row.iteration for row in rows] == [3, 5]


def test_a_run_without_rows(tmp_path):
    run = Writer(tmp_path, UID)
    run.header()
    run.start()
    assert recorded_iterations(Store(tmp_path), UID) == 0
