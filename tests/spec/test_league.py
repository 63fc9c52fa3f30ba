"""When the league takes a copy, against a plain reading of the rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.spec import AddSchedule, Collect, League, RandomCollector, SelfplayCollector

counts = st.integers(1, 15)


@st.composite
def leagues(draw):
    """A league and what is collected."""
    league = League(
        size=draw(st.integers(1, 6)),
        add_every=draw(counts),
        fill_every=draw(st.none() | counts),
        archive_size=draw(st.integers(0, 5)),
    )
    random = st.builds(RandomCollector, num_envs=st.just(2), until=st.none() | counts)
    selfplay = SelfplayCollector(num_envs=2)
    return league, Collect(num_steps=9, selfplay=selfplay, random=draw(st.none() | random))


def additions(league, collect, iterations):
    """The iterations that end with a new entry, by the rule's words."""
    warmup = range(collect.random.until or 0) if collect.random else ()
    entries, added = 0, []
    for t in range(iterations):
        if t in warmup:
            continue
        if entries == 0:
            takes = True
        elif entries < league.size:
            takes = (t + 1) % (league.fill_every or league.add_every) == 0
        else:
            takes = (t + 1) % league.add_every == 0
        if takes:
            entries = min(entries + 1, league.size)
            added.append(t)
    return added


@settings(max_examples=300, deadline=None)
@given(leagues())
def test_it_fires_where_the_rule_says(drawn):
    league, collect = drawn
    schedule = AddSchedule.of(league, collect)
    added = additions(league, collect, 200)
    assert [t for t in range(200) if schedule.fires(t)] == added
    assert schedule.start == added[0]
    assert schedule.full == added[league.size - 1]
    # The first entry too many goes to the archive, where the iteration after finds it.
    assert schedule.archive_start == added[league.size] + 1


@pytest.mark.parametrize(
    ("random", "first"),
    [
        (None, 0),
        (RandomCollector(num_envs=2), 0),
        (RandomCollector(num_envs=2, until=50), 50),
    ],
)
def test_only_a_warm_up_is_waited_for(random, first):
    league = League(size=8, add_every=100, fill_every=20)
    schedule = AddSchedule.of(league, Collect(num_steps=9, random=random))
    assert next(t for t in range(first + 60) if schedule.fires(t)) == first


@pytest.mark.parametrize(
    ("league", "words"),
    [
        (League(size=1, add_every=5), "at iteration 0, then every 5"),
        (
            League(size=3, add_every=100, fill_every=20),
            "at iteration 0, then every 20 to 39, then every 100",
        ),
    ],
)
def test_a_schedule_in_words(league, words):
    assert str(AddSchedule.of(league, Collect(num_steps=9))) == words


def test_slots_are_those_of_league_and_archive():
    assert League(size=8, add_every=1, archive_size=32).slots == 40
    assert League(size=8, add_every=1, archive_size=0).slots == 8
