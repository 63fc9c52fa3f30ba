"""Means and standard errors, held to Python's own statistics."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxpot.statistics import spread_of, welch

numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


@given(st.lists(numbers, min_size=2, max_size=9))
def test_a_spread_is_what_python_s_statistics_say(values):
    spread = spread_of(values)
    assert spread.count == len(values)
    assert spread.mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    expected = statistics.stdev(values) / math.sqrt(len(values))
    assert spread.standard_error == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert (spread.min, spread.max) == (min(values), max(values))


@given(*[st.lists(numbers, min_size=2, max_size=6, unique=True)] * 2)
def test_welch_is_the_difference_in_its_own_standard_errors(one, other):
    found = welch(spread_of(one), spread_of(other))
    squares = [statistics.variance(values) / len(values) for values in (one, other)]
    difference = statistics.fmean(one) - statistics.fmean(other)
    assert found.difference == pytest.approx(difference, abs=1e-9)
    assert found.error == pytest.approx(math.sqrt(sum(squares)), rel=1e-9)
    assert found.ratio == pytest.approx(difference / math.sqrt(sum(squares)), rel=1e-6, abs=1e-9)
    counts = [len(one) - 1, len(other) - 1]
    freedom = sum(squares) ** 2 / sum(s**2 / n for s, n in zip(squares, counts, strict=True))
    assert found.freedom == pytest.approx(freedom, rel=1e-6)
    assert min(counts) - 1e-6 <= found.freedom <= sum(counts) + 1e-6


def test_a_single_value_has_no_standard_error():
    assert spread_of([2.5]).standard_error is None
    assert welch(spread_of([2.5]), spread_of([1.0, 2.0])) is None


def test_means_without_any_spread_are_infinitely_far_apart_or_equal():
    same = spread_of([1.0, 1.0])
    assert welch(same, spread_of([2.0, 2.0])).ratio == -math.inf
    assert welch(same, same).ratio == 0.0


def test_a_value_that_is_not_finite_leaves_no_mean():
    spread = spread_of([1.0, math.nan, 3.0])
    assert math.isnan(spread.mean)
    assert spread.standard_error is None
    assert (spread.min, spread.max) == (1.0, 3.0)
    assert spread_of([1.0, math.inf]).mean == math.inf
    assert math.isnan(spread_of([math.nan]).min)


def test_values_whose_squares_and_sums_are_no_floats():
    spread = spread_of([1e308, 1.5e308])
    assert spread.mean == pytest.approx(1.25e308)
    assert spread.standard_error == pytest.approx(0.25e308)
    found = welch(spread, spread_of([1e200, 3e200]))
    assert found.ratio == pytest.approx(5.0)
    assert found.freedom == pytest.approx(1.0)
