"""The views `standings` and `league`: what counts of a run that was killed and resumed."""

import math

import pytest

from jaxpot.store import Store
from tests.store.journals import Writer, league_events, standing

EVENTS = "SELECT iter, event, name FROM league ORDER BY iter, event, name"
STANDINGS = "SELECT iter, name, place, score, rollouts, active FROM standings ORDER BY iter, name"


def change(run, iteration, event, name, **more):
    run.event(f"league_{event}", {"name": name, **more}, iteration)


def stand(run, iteration, *entries):
    run.record("standings", attempt=run.attempt, iter=iteration, standings=list(entries))


def test_events_are_rows_of_a_view(runs_dir, run):
    change(run, 5, "add", "iter_000005", score=-0.05, rollouts=0, digest="0" * 16)
    change(run, 9, "recall", "iter_000002", score=0.25, rollouts=2**40, digest="f" * 16)
    run.event("warning", {"text": "odd"}, 9)
    query = "SELECT * FROM league ORDER BY iter"
    columns, rows = Store(runs_dir).sql(query)
    assert columns == ["uid", "run", "iter", "event", "name", "score", "rollouts", "digest"]
    assert rows == [
        (run.uid, "ttt", 5, "add", "iter_000005", -0.05, 0, "0" * 16),
        (run.uid, "ttt", 9, "recall", "iter_000002", 0.25, 2**40, "f" * 16),
    ]


def test_a_payload_of_another_form_is_null_and_not_an_error(runs_dir, run):
    change(run, 5, "add", "iter_000005", score="NaN", rollouts=1.5, digest=None)
    for payload in ([], 7, None, {"name": {"a": 1}, "score": "x", "rollouts": -(10**30)}):
        run.event("league_drop", payload, 6)
    store = Store(runs_dir)
    assert [notice.rpartition(": ")[2] for notice in store.ingest().notices()] == [
        "expected `object | null`, got `array`",
        "expected `object | null`, got `int`",
    ]
    rows = store.sql("SELECT name, score, rollouts, digest FROM league ORDER BY iter")[1]
    assert rows[0][0] == "iter_000005"
    assert math.isnan(rows[0][1])
    assert len(rows) == 3
    assert all(row[1:] == (None, None, None) for row in rows[1:])


def test_what_a_resume_supersedes_is_not_in_the_views(runs_dir, run):
    change(run, 3, "add", "iter_000003")
    change(run, 5, "add", "iter_000005")
    change(run, 8, "add", "iter_000008")
    for iteration in (3, 5, 8):
        stand(run, iteration, standing(f"iter_{iteration:06d}", "league"))
    run.start(5)
    store = Store(runs_dir)
    assert store.sql(EVENTS)[1] == [(3, "add", "iter_000003")]
    assert [row[0] for row in store.sql(STANDINGS)[1]] == [3]
    change(run, 5, "add", "iter_000005")
    stand(run, 5, standing("iter_000005", "league"))
    assert store.sql(EVENTS)[1] == [(3, "add", "iter_000003"), (5, "add", "iter_000005")]
    assert [row[0] for row in store.sql(STANDINGS)[1]] == [3, 5]


def test_a_change_that_a_resume_makes_again_counts_once(runs_dir, run):
    """Freezing follows the checkpoint, so a resume from that checkpoint freezes again."""
    change(run, 4, "recall", "iter_000001")
    change(run, 4, "add", "iter_000005", score=1.0)
    stand(run, 4, standing("iter_000001", "league"), standing("iter_000005", "league"))
    run.start(5)
    change(run, 4, "add", "iter_000005", score=2.0)
    stand(run, 4, {**standing("iter_000005", "league"), "score": 0.25})
    store = Store(runs_dir)
    assert store.sql("SELECT event, score FROM league ORDER BY event")[1] == [
        ("add", 2.0),
        ("recall", None),
    ]
    assert store.sql(STANDINGS)[1] == [(4, "iter_000005", "league", 0.25, 7, True)]


def test_runs_are_kept_apart(runs_dir, run):
    other = Writer(runs_dir, "20261122-101530-bbbbbb", name="other")
    other.header()
    other.start()
    for each in (run, other):
        change(each, 4, "add", "iter_000004")
        stand(each, 4, standing("iter_000004", "league"))
    other.start(4)
    store = Store(runs_dir)
    for view in ("league", "standings"):
        assert store.sql(f"SELECT uid FROM {view}")[1] == [(run.uid,)]  # noqa: S608


def test_standings_of_before_places_are_taken_in(runs_dir, run):
    entry = standing("iter_000004", "league")
    del entry["place"]
    stand(run, 4, entry)
    assert Store(runs_dir).sql(STANDINGS)[1] == [(4, "iter_000004", None, 0.5, 7, True)]


@pytest.mark.parametrize("place", [7, ["league"], True])
def test_a_place_is_text(runs_dir, run, place):
    stand(run, 4, {**standing("iter_000004", "league"), "place": place})
    (notice,) = Store(runs_dir).ingest().notices()
    assert "standings[0].place: expected `str | null`, got" in notice


def test_a_run_without_a_league_has_none(runs_dir, run):
    assert Store(runs_dir).show(run.uid)["league"] is None


def test_show_has_the_last_standings_and_counts_the_changes(runs_dir, run):
    league_events(run)
    stand(run, 9, standing("iter_000004", "league"))
    stand(
        run,
        19,
        {**standing("iter_000002", "archive"), "score": "NaN"},
        {**standing("iter_000010", "league"), "score": -0.25},
        {**standing("iter_000005", "archive", active=False), "score": -0.125},
    )
    found = Store(runs_dir).show(run.uid)["league"]
    standings = found.pop("standings")
    assert [entry["name"] for entry in standings] == ["iter_000010", "iter_000005", "iter_000002"]
    assert standings[0] == {
        "name": "iter_000010",
        "place": "league",
        "score": -0.25,
        "rollouts": 7,
        "active": True,
    }
    assert found == {
        "iter": 19,
        "league_size": 1,
        "league_archive_size": 2,
        "active_archive_size": 1,
        "events": {"add": 4, "archive": 3, "recall": 2, "release": 1, "drop": 1},
    }


def test_a_league_that_only_changed_has_no_standings_yet(runs_dir, run):
    change(run, 4, "add", "iter_000004")
    found = Store(runs_dir).show(run.uid)["league"]
    assert (found["iter"], found["standings"], found["events"]) == (None, [], {"add": 1})


@pytest.mark.parametrize("view", ["league", "standings"])
def test_a_view_of_one_run_reads_that_run_only(runs_dir, run, view):
    """The window over attempts is within a run, so that a filter on the run goes below it."""
    for iteration in range(3):
        change(run, iteration, "add", f"iter_{iteration:06d}")
        stand(run, iteration, standing("iter_000004", "league"))
    query = f"EXPLAIN SELECT * FROM {view} WHERE uid = '{run.uid}'"  # noqa: S608
    ((_, plan),) = Store(runs_dir).sql(query)[1]
    shown = plan.replace(" ", "").lower()
    assert shown.index("window") < shown.index(f"uid='{run.uid}'")
