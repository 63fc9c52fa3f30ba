"""Lines to rows: what a checkpoint's stages leave beside the one row of the checkpoint."""

import json

import pytest

from jaxpot.store import Store
from jaxpot.store.batch import Batch
from jaxpot.store.lines import take_line
from jaxpot.store.state import RunState

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


def test_a_tag_is_in_force_until_it_is_taken_off(runs_dir, run):
    query = "SELECT list(tag ORDER BY tag) FROM tags"

    def tags():
        return Store(runs_dir).sql(query)[1][0][0]

    assert tags() == ["quickstart"]
    run.record("tag", tag="kept")
    run.record("untag", tag="quickstart")
    run.record("untag", tag="never there")
    assert tags() == ["kept"]
    run.record("untag", tag="kept")
    run.record("tag", tag="quickstart")
    assert tags() == ["quickstart"]
    Store(runs_dir).rebuild()
    assert tags() == ["quickstart"]
    run.record("untag", tag=5)
    assert tags() == ["quickstart"]
    skipped = "SELECT count(*) FROM events WHERE kind = 'journal_skip'"
    assert Store(runs_dir).sql(skipped)[1] == [(1,)]


@pytest.mark.parametrize("text", ["1e22", "9007199254740993", "-0", "-0.0", "5e-324", "1E+2"])
def test_a_number_is_the_double_that_python_reads(text):
    line = b'{"kind":"payload","time":1.0,"attempt":1,"iter":0,"values":{"a":' + text.encode()
    batch = Batch()
    assert take_line(RunState("r"), batch, line + b"}}", 1) is None
    assert [it.hex() for it in batch.value] == [float(json.loads(text)).hex()]


@pytest.mark.parametrize("text", ["1e999", "-Infinity", "NaN", "1" + "0" * 400, "nul", '"\\ud800"'])
def test_what_is_no_number_is_a_damaged_line(text):
    line = b'{"kind":"payload","time":1.0,"attempt":1,"iter":0,"values":{"a":' + text.encode()
    batch = Batch()
    assert take_line(RunState("r"), batch, line + b"}}", 1)
    assert not batch.value
