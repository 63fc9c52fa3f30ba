"""The table's scores, against plain Python."""

import functools

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxpot.league import ARCHIVE, LEAGUE, NEW_SCORE, empty_table, update_scores
from tests.league.model import START, Entry, LeagueModel

SLOTS, GROUPS = 4, 5
PLAYED = st.tuples(st.integers(0, SLOTS - 1), st.integers(-12, 12), st.integers(0, 3))


@functools.cache
def updater(alpha):
    return jax.jit(functools.partial(update_scores, alpha=alpha))


def table_of(scores, rollouts):
    return empty_table(SLOTS)._replace(
        score=np.asarray(scores, np.float32), rollouts=np.asarray(rollouts, np.uint32)
    )


@pytest.mark.parametrize(("alpha", "rtol"), [(0.5, 0), (1.0, 0), (0.1, 1e-6)])
@given(
    st.lists(st.integers(-512, 512).map(lambda n: n / 512), min_size=SLOTS, max_size=SLOTS),
    st.lists(PLAYED, min_size=GROUPS, max_size=GROUPS),
)
def test_scores_move_by_the_mean_over_all_of_an_entrys_groups(alpha, rtol, scores, played):
    table = table_of(scores, [7, 0, 2**31, 1])
    slots, quarters, games = (np.array(column, np.int32) for column in zip(*played, strict=True))
    reward = np.where(games > 0, quarters.astype(np.float32) / 4, 0)
    got = updater(alpha)(table, slots, reward, games)
    rules = LeagueModel(size=SLOTS, archive_size=0, alpha=alpha, margin=0)
    for slot in range(SLOTS):
        entry = Entry(
            born=1, params=None, score=table.score[slot], rollouts=int(table.rollouts[slot])
        )
        mine = slots == slot
        rules.played(entry, float(reward[mine].sum()), int(games[mine].sum()))
        np.testing.assert_allclose(got.score[slot], entry.score, rtol=rtol, atol=rtol)
        assert int(got.rollouts[slot]) == entry.rollouts
        if not games[mine].sum():
            assert got.score[slot].tobytes() == table.score[slot].tobytes()
    rest = ("place", "active", "born", "digest")
    for name in rest:
        np.testing.assert_array_equal(getattr(got, name), getattr(table, name))


def test_an_empty_table_holds_nobody():
    table = empty_table(3)
    assert not any(np.asarray(x).any() for x in table)
    assert not table.in_league.any()
    assert not table.recalled.any()


def test_only_the_archives_active_entries_are_recalled():
    place = np.array([LEAGUE, LEAGUE, ARCHIVE, ARCHIVE, 0], np.int32)
    active = np.array([True, False, True, False, True])
    table = empty_table(5)._replace(place=place, active=active)
    assert table.in_league.tolist() == [True, True, False, False, False]
    assert table.recalled.tolist() == [False, False, True, False, False]


def test_a_new_entry_starts_as_a_slightly_stronger_one():
    assert np.float32(NEW_SCORE) == START < 0
