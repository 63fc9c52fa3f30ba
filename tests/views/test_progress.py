import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxpot.views.progress import Progress, Standings, Thinned
from tests.trackers.stream import Clock, checkpoint, info, key, payload, payloads, play, result


@given(st.integers(min_value=0, max_value=300), st.integers(min_value=2, max_value=16))
def test_thinned_items_are_few_and_evenly_spaced(total, capacity):
    thinned = Thinned(capacity)
    for item in range(total):
        thinned.append(item)
    kept = thinned.items()
    assert len(kept) <= capacity
    assert kept[:1] == ([0] if total else [])
    assert len({later - earlier for earlier, later in itertools.pairwise(kept)}) <= 1
    assert total <= capacity or len(kept) >= capacity // 2


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def progress(clock):
    return Progress(clock=clock)


def test_rate_is_unknown_then_counts_iterations_over_the_clock(progress, clock):
    progress.started(info())
    assert progress.rate() is None
    assert progress.remaining() is None
    play(progress, clock, until=100)
    assert progress.rate() == pytest.approx(25 / 0.8)
    assert progress.remaining() == pytest.approx(400 / (25 / 0.8))


def test_compiling_does_not_slow_the_rate(progress, clock):
    play(progress, clock, until=100)
    progress.compiling("evaluate/vs_random")
    clock.now += 60
    progress.compiled("evaluate/vs_random", 60.0)
    for start in (100, 125):
        for values in payloads(start, start + 25):
            progress.payload(values)
        clock.now += 0.8
    assert progress.rate() == pytest.approx(25 / 0.8)


def test_resumed_attempt_counts_from_where_it_starts(progress, clock):
    progress.started(info(start_iter=300, attempt=2))
    assert progress.done == 300


def test_evaluations_keep_the_newest_and_the_best(progress, clock):
    play(progress, clock, until=230)
    vs_random, tree = progress.evaluations
    assert (vs_random.name, vs_random.judged_by, vs_random.mode) == ("vs_random", "win_rate", "max")
    assert (tree.name, tree.judged_by, tree.mode) == ("tree", "lost", "min")
    assert vs_random.latest == vs_random.best == payload(199)
    assert tree.latest == payload(199)


def test_earliest_of_equal_results_is_the_best(progress):
    progress.started(info())
    worse = {**payload(49), "eval_vs_random/win_rate": 0.1}
    for values in (payload(49), {**payload(49), "iter": 99}, {**worse, "iter": 149}):
        progress.payload(values)
    assert progress.evaluations[0].best == payload(49)


def test_evaluator_without_known_results_has_no_best(progress):
    progress.started(info(keys=(key("iter"), key("eval_own/speed", every=2))))
    assert progress.payload({"iter": 0}) == []
    (own,) = progress.payload({"iter": 1, "eval_own/speed": 3.0})
    assert own.judged_by is None
    assert own.best is None


def test_last_value_of_a_gate_outlives_the_iterations_without_it(progress, clock):
    play(progress, clock, until=230)
    assert progress.last("eval_tree/lost") == payload(199)["eval_tree/lost"]
    assert progress.last("total_loss") == payload(229)["total_loss"]
    assert progress.last("nothing") is None


def test_checkpoint_that_failed_is_a_warning(progress):
    assert progress.checkpoint(checkpoint(100, "begun")) is None
    assert progress.saved is None
    assert progress.checkpoint(checkpoint(100)) is None
    failed = progress.checkpoint(checkpoint(200, "failed", error="No space left on device"))
    assert failed == "checkpoint 200 failed: No space left on device"
    assert progress.saved is not None
    assert progress.saved[0]["iteration"] == 100


def test_clock_stops_at_the_end(progress, clock):
    play(progress, clock, until=500)
    progress.finished(result())
    elapsed = progress.elapsed()
    clock.now += 100
    assert progress.elapsed() == elapsed


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
    reported = set(filter(None, second.news(first).split(", ")))
    told_of = {"league": "joined", "archive": "archived"}
    joined = {f"{name} {told_of[after[name][0]]}" for name in after if name not in before}
    recalled = {
        f"{name} recalled"
        for name, place in after.items()
        if place == ("archive", True) and before.get(name) != ("archive", True)
    }
    assert reported == joined | recalled
    assert second.news(second) == ""
