"""Lines to rows: what a checkpoint's stages leave beside the one row of the checkpoint."""

import json

import pytest

from jaxpot.store import Store

QUERY = """
SELECT attempt, iter, kind, payload FROM events WHERE kind LIKE 'checkpoint%' ORDER BY rowid
"""
FIELDS = (
    *("type", "path", "bytes", "digest", "sha256", "score", "seconds", "blocking_seconds"),
    "error",
)


def stages(runs_dir):
    """Give every stage of every checkpoint: attempt, iteration, state, payload."""
    return [
        (attempt, iteration, kind.removeprefix("checkpoint_"), json.loads(payload))
        for attempt, iteration, kind, payload in Store(runs_dir).sql(QUERY)[1]
    ]


def test_every_stage_is_an_event(runs_dir, run):
    whole = {"bytes": 7, "digest": "ab" * 8, "sha256": "e" * 64}
    run.checkpoint(100, "begun", digest="ab" * 8, blocking_seconds=0.01)
    run.checkpoint(100, "committed", **whole, seconds=0.5, blocking_seconds=0.01)
    run.checkpoint(200, "begun")
    run.checkpoint(200, "failed", error="disk full", seconds=0.25)
    run.checkpoint(100, "deleted", **whole)
    found = stages(runs_dir)
    assert [stage[:3] for stage in found] == [
        (1, 100, "begun"),
        (1, 100, "committed"),
        (1, 200, "begun"),
        (1, 200, "failed"),
        (1, 100, "deleted"),
    ]
    assert all(tuple(payload) == FIELDS for *_, payload in found)
    path = f"{run.uid}/checkpoints/000100"
    assert found[1][3] == {
        "type": "periodic", "path": path, **whole, "score": None,
        "seconds": 0.5, "blocking_seconds": 0.01, "error": None,
    }  # fmt: skip
    assert found[3][3]["error"] == "disk full"
    assert found[4][3]["digest"] == "ab" * 8


def test_a_save_under_three_names_is_three_events_a_stage(runs_dir, run):
    for state in ("begun", "committed"):
        for kind in ("periodic", "milestone", "best"):
            run.checkpoint(100, state, type=kind, score=0.5 if kind == "best" else None)
    found = [(state, payload["type"], payload["score"]) for *_, state, payload in stages(runs_dir)]
    assert found == [
        (state, kind, 0.5 if kind == "best" else None)
        for state in ("begun", "committed")
        for kind in ("periodic", "milestone", "best")
    ]


def test_they_are_ingested_once(runs_dir, run):
    run.checkpoint(100, "begun")
    assert len(stages(runs_dir)) == 1
    run.checkpoint(100, "committed")
    assert len(stages(runs_dir)) == 2
    assert len(stages(runs_dir)) == 2


def test_records_without_a_digest_count_too(runs_dir, run):
    run.checkpoint(100, "committed", score="NaN")
    ((*_, payload),) = stages(runs_dir)
    assert (payload["digest"], payload["score"]) == (None, "NaN")


@pytest.mark.parametrize(
    "change", [{"digest": 5}, {"sha256": 5}, {"seconds": "long"}, {"attempt": -1}, {"type": None}]
)
def test_a_damaged_stage_counts_nowhere(runs_dir, run, change):
    run.checkpoint(100, "begun", **change)
    assert stages(runs_dir) == []
    skipped = "SELECT count(*) FROM events WHERE kind = 'journal_skip'"
    assert Store(runs_dir).sql(skipped)[1] == [(1,)]
    assert Store(runs_dir).sql("SELECT count(*) FROM checkpoints")[1] == [(0,)]
