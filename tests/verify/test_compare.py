"""Traces from the store and from a journal are equal, and a difference is found and measured."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxpot.store import Store
from jaxpot.verify.compare import (
    ITERATION,
    STATE_DIGEST,
    Difference,
    Row,
    compare,
    decimal,
    hexadecimal,
    journal_rows,
    recorded_iterations,
    recorded_rows,
)
from tests.store.journals import Writer

VALUES = {"iter": 0, "total_loss": 0.5, "reward": math.nan}


def row(iteration, digest="ab" * 8, **changes):
    return Row(iteration, digest, {**VALUES, "iter": iteration, **changes})


def trace(count=4):
    return [row(t) for t in range(count)]


def test_equal_traces_are_identical():
    found = compare(trace(), trace())
    assert (found.verdict, found.iterations, found.values, found.first) == (
        "identical",
        4,
        12,
        None,
    )


def test_it_stops_at_the_first_difference_and_names_it():
    other = trace()
    other[2] = row(2, "cd" * 8, total_loss=0.25, reward=1.0)

    def found():
        yield from other[:3]
        pytest.fail("read on")

    result = compare(trace(), found())
    assert result.verdict == "different"
    assert result.first == Difference(2, "total_loss", 0.5, 0.25, ("reward", STATE_DIGEST))
    assert result.iterations == 3
    assert result.max_difference is None
    assert result.record()["first_difference"] == {
        "iteration": 2,
        "key": "total_loss",
        "a": {"hex": "0x3fe0000000000000", "decimal": 0.5},
        "b": {"hex": "0x3fd0000000000000", "decimal": 0.25},
        "others": ["reward", STATE_DIGEST],
    }


def test_a_digest_alone_is_a_difference():
    result = compare(trace(), [row(0), row(1, "00" * 8), row(2), row(3)])
    assert result.first == Difference(1, STATE_DIGEST, "ab" * 8, "00" * 8)
    assert hexadecimal("ab" * 8) == "0xabababababababab"
    assert decimal("00" * 7 + "10") == 16


def test_a_missing_iteration_is_a_difference():
    assert compare(trace(), trace(2)).first == Difference(2, ITERATION, 2, None)
    assert compare(trace(3), [row(0), row(2)]).first == Difference(1, ITERATION, 1, None)


def test_iterations_that_are_not_asked_for_are_passed_over():
    assert compare([row(1), row(3)], trace(9)).verdict == "identical"


@pytest.mark.parametrize(
    ("a", "b"), [(0.0, -0.0), (1, 1.0), (1.0, math.nextafter(1.0, 2.0)), (math.inf, -math.inf)]
)
def test_every_bit_counts(a, b):
    assert compare([row(0, x=a)], [row(0, x=b)]).verdict == "different"


def test_a_key_on_one_side_is_a_difference():
    assert compare([row(0, x=1.0)], [row(0)]).first == Difference(0, "x", 1.0, None)
    assert compare([row(0)], [row(0, x=1.0)]).first == Difference(0, "x", None, 1.0)


def test_to_the_end_it_gives_the_largest_difference():
    other = [row(0), row(1, "0" * 16, total_loss=0.75), row(2, total_loss=1.5), row(3)]
    result = compare(trace(), other, stop=False)
    assert (result.verdict, result.max_difference, result.max_at) == (
        "within",
        1.0,
        (2, "total_loss"),
    )
    assert result.first is not None
    assert result.first.iteration == 1


@pytest.mark.parametrize("change", [{"iter": 7}, {"reward": 0.0}, {"more": 1.0}])
def test_counts_keys_and_nans_that_differ_are_not_within(change):
    result = compare(trace(), [row(0, **change), *trace()[1:]], stop=False)
    assert result.verdict == "different"


@given(st.floats(), st.floats())
def test_two_floats_are_the_same_where_their_bits_or_their_nan_is(a, b):
    same = compare([row(0, x=a)], [row(0, x=b)]).verdict == "identical"
    assert same == (a.hex() == b.hex())


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
    monkeypatch.setattr("jaxpot.verify.compare._WINDOW", 3)
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
    monkeypatch.setattr("jaxpot.verify.compare._WINDOW", 1)
    rows = recorded_rows(Store(tmp_path), UID, start=2, stop=7, every=2)
    assert [row.iteration for row in rows] == [3, 5]


def test_a_run_without_rows(tmp_path):
    run = Writer(tmp_path, UID)
    run.header()
    run.start()
    assert recorded_iterations(Store(tmp_path), UID) == 0
