import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxpot.views.standings import Standings


def entry(name, place="league", active=True):
    return {"name": name, "place": place, "score": 0.0, "rollouts": 0, "active": active}


@pytest.mark.parametrize(
    ("entries", "sizes"),
    [
        ([], "0 entries"),
        ([entry("a")], "1 entry"),
        ([entry("a"), entry("b", "archive", False)], "1 entry, 1 archived, 0 active"),
        (
            [entry("a"), entry("b"), entry("c", "archive"), entry("d", "archive", False)],
            "2 entries, 2 archived, 1 active",
        ),
    ],
)
def test_sizes(entries, sizes):
    assert Standings(5, entries).sizes == sizes


def test_a_copy_that_is_weaker_than_the_league_is_archived_at_once():
    before = Standings(5, [entry("a")])
    now = Standings(6, [entry("a"), entry("b", "archive", False)])
    assert now.news(before) == "b archived"


def test_news_are_entries_that_joined_and_those_recalled():
    before = Standings(5, [entry("a"), entry("b", "archive", False), entry("c", "archive")])
    now = Standings(6, [entry("d"), entry("a", "archive"), entry("b", "archive"), entry("c")])
    assert now.news(before) == "d joined, a recalled, b recalled"
    assert now.news(now) == ""


places = st.sampled_from([("league", True), ("archive", False), ("archive", True)])
held = st.dictionaries(st.sampled_from("abcdef"), places)


@given(held, held)
def test_news_are_told_once(before, after):
    first, second = (
        Standings(0, [entry(name, *place) for name, place in each.items()])
        for each in (before, after)
    )
    told = set(filter(None, second.news(first).split(", ")))
    told_of = {"league": "joined", "archive": "archived"}
    joined = {f"{name} {told_of[after[name][0]]}" for name in after if name not in before}
    recalled = {
        f"{name} recalled"
        for name, place in after.items()
        if place == ("archive", True) and before.get(name) != ("archive", True)
    }
    assert told == joined | recalled
    assert second.news(second) == ""
