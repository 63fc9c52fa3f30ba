import math

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxpot.evaluators.play import elo_difference

COUNT = st.integers(0, 100_000)


def plain(wins, draws, losses):
    """The estimate from the list of scores, game by game."""
    scores = np.repeat([1.0, 0.5, 0.0], [wins, draws, losses])
    mean = scores.mean()
    slope = 400 / (math.log(10) * mean * (1 - mean))
    return 400 * math.log10(mean / (1 - mean)), slope * scores.std() / math.sqrt(len(scores))


@given(COUNT, COUNT, COUNT)
def test_equals_the_estimate_from_the_scores_one_by_one(wins, draws, losses):
    if wins + draws and draws + losses:
        expected = plain(wins, draws, losses)
        found = elo_difference(np.int32(wins), np.int32(draws), np.int32(losses))
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_known_values():
    """A score of 3/4 is worth 191 points, and of 10/11 400; equal players differ by none."""
    assert float(elo_difference(750, 0, 250).elo) == pytest.approx(190.85, abs=0.01)
    assert float(elo_difference(1000, 0, 100).elo) == pytest.approx(400, abs=0.01)
    assert float(elo_difference(3, 5, 3).elo) == 0


@given(COUNT, COUNT, COUNT)
def test_the_other_player_differs_by_as_much(wins, draws, losses):
    mine, theirs = elo_difference(wins, draws, losses), elo_difference(losses, draws, wins)
    np.testing.assert_allclose(mine.stderr, theirs.stderr, rtol=1e-5)
    np.testing.assert_allclose(mine.elo, -theirs.elo, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("games", "elo", "stderr"),
    [
        ((8, 0, 0), math.inf, math.inf),
        ((0, 0, 8), -math.inf, math.inf),
        ((0, 8, 0), 0, 0),
        ((0, 0, 0), math.nan, math.nan),
    ],
)
def test_games_that_bound_nothing(games, elo, stderr):
    np.testing.assert_equal([float(x) for x in elo_difference(*games)], [elo, stderr])


def test_the_standard_error_is_that_of_repeated_matches():
    """Many matches between players of a known difference scatter as one match says."""
    chances = np.array([0.45, 0.3, 0.25])  # a score of 0.6
    matches = np.random.default_rng(3).multinomial(400, chances, size=4000)
    with jax.debug_nans(True):
        found = jax.jit(elo_difference)(*matches.T.astype(np.int32))
    true = 400 * math.log10(0.6 / 0.4)
    assert (found.elo.dtype, found.stderr.dtype) == ("float32", "float32")
    elo, stderr = np.asarray(found, np.float64)
    assert elo.mean() == pytest.approx(true, abs=1)
    assert stderr.mean() == pytest.approx(elo.std(), rel=0.05)
    inside = np.abs(elo - true) < 1.96 * stderr
    assert inside.mean() == pytest.approx(0.95, abs=0.015)
