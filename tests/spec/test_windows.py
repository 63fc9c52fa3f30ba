"""The windows of collectors and evaluators, against a run that counts entries."""

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.spec import (
    ArchiveCollector,
    ArchiveEvaluator,
    Collect,
    League,
    LeagueCollector,
    RandomCollector,
    RandomEvaluator,
)
from jaxpot.spec.keys import Cadence
from jaxpot.spec.payload import (
    ARCHIVE_ACTIVE,
    CONDITIONS,
    collector_windows,
    evaluator_start,
)
from tests.spec.test_league import additions, leagues

PLAYED = LeagueCollector(num_envs=64)
RECALLED = ArchiveCollector(num_envs=64)


def simulated(league, collect, cadences, iterations):
    """The first iterations that find an entry, an archived one, and one that may be active."""
    added = additions(league, collect, iterations)
    entries = archived = 0
    evaluated = False
    found: dict[str, int] = {}
    for t in range(iterations):
        if entries:
            found.setdefault("league", t)
        if archived:
            found.setdefault("archived", t)
        if evaluated:
            found.setdefault("archive", t)
        evaluated |= archived > 0 and any((t + 1) % every == 0 for every in cadences)
        if t in added:
            archived += entries == league.size
            entries = min(entries + 1, league.size)
    return found


@settings(max_examples=200, deadline=None)
@given(leagues(), st.lists(st.integers(1, 20), min_size=1, max_size=3))
def test_windows_begin_where_a_run_finds_an_opponent(drawn, cadences):
    league, collect = drawn
    league = attrs.evolve(league, archive_size=league.archive_size + 1)
    collect = attrs.evolve(collect, league=PLAYED, archive=RECALLED)
    evaluators = {f"e{i}": ArchiveEvaluator(every=n, num_games=2) for i, n in enumerate(cadences)}
    found = simulated(league, collect, cadences, 300)
    windows = collector_windows(collect, league, evaluators)
    assert windows["league"] == Cadence(start=found["league"])
    assert windows["archive"] == Cadence(start=found["archive"], when=ARCHIVE_ACTIVE)
    assert evaluator_start(evaluators["e0"], collect, league) == found["archived"]
    until = collect.random.until if collect.random else None
    assert windows.get("random", Cadence()) == Cadence(until=until)


@settings(max_examples=50, deadline=None)
@given(leagues())
def test_the_order_is_that_of_an_iteration(drawn):
    league, collect = drawn
    random = RandomCollector(num_envs=2)
    collect = attrs.evolve(collect, random=random, league=PLAYED, archive=RECALLED)
    evaluators = {"old": ArchiveEvaluator(every=3, num_games=2)}
    windows = collector_windows(collect, league, evaluators)
    assert list(windows) == ["selfplay", "random", "league", "archive"]


@settings(max_examples=50, deadline=None)
@given(leagues())
def test_what_lacks_something_has_no_window(drawn):
    league, collect = drawn
    both = attrs.evolve(collect, league=PLAYED, archive=RECALLED)
    others = {"x": RandomEvaluator(every=3, num_games=2)}
    assert {"league", "archive"}.isdisjoint(collector_windows(both, None, others))
    assert "archive" not in collector_windows(both, league, others)
    assert {"league", "archive"}.isdisjoint(collector_windows(collect, league, others))


def test_other_evaluators_run_from_the_start():
    league, collect = League(size=2, add_every=3), Collect(num_steps=9)
    assert evaluator_start(RandomEvaluator(every=1, num_games=2), collect, league) == 0
    assert evaluator_start(ArchiveEvaluator(every=1, num_games=2), collect, None) == 0


def test_conditions_have_words():
    assert set(CONDITIONS) == {ARCHIVE_ACTIVE}
