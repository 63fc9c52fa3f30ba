import os
import shutil
from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.checkpoints import list_checkpoints, verify
from jaxpot.checkpoints.retention import beyond_last
from jaxpot.spec import Best

from .conftest import PERIODIC, Run, a_state

WIN = Best(metric="win", keep=2)


def save_best(run: Run, scores: dict[int, float], best: Best = WIN) -> None:
    writer = run.writer(best=best)
    for iteration, score in scores.items():
        types = frozenset({"best"})
        writer.save(a_state(iteration), iteration=iteration, types=types, metadata={}, score=score)
    writer.wait()
    writer.close()


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 2_000_000), min_size=1), st.integers(1, 5), st.data())
def test_what_is_beyond_the_last(iterations: set[int], keep_last: int, data: st.DataObject) -> None:
    newest = data.draw(st.sampled_from(sorted(iterations)))
    gone = beyond_last(list(iterations), keep_last, newest)
    kept = [i for i in iterations if i not in gone and i <= newest]
    assert newest in kept
    assert len(kept) <= keep_last
    assert not gone or (len(kept) == keep_last and max(gone) < min(kept))


def test_the_last_ones_are_kept_by_number(run: Run) -> None:
    run.save(999_998, 999_999, 1_000_000, 1_000_001, keep_last=2)
    assert run.names() == ["1000000", "1000001"]
    assert [t for t in run.told() if t[0] == "deleted"] == [
        ("deleted", "periodic", 999_998),
        ("deleted", "periodic", 999_999),
    ]


def test_the_best_are_kept_and_listed(run: Run) -> None:
    save_best(run, {1: 0.5, 2: 0.9, 3: 0.1, 4: 0.9, 5: nan, 6: 0.9})
    assert run.names("best") == ["000002", "000004", "manifest.json"]
    assert run.names() == ["best"]
    assert run.told() == [
        ("begun", "best", 1), ("committed", "best", 1),
        ("begun", "best", 2), ("committed", "best", 2),
        ("begun", "best", 4), ("committed", "best", 4), ("deleted", "best", 1),
    ]  # fmt: skip
    assert [r["score"] for r in run.records[:3]] == [0.5, 0.5, 0.9]
    for info in list_checkpoints(run.run_dir):
        verify(info.path)


def test_the_lowest_may_be_best(run: Run) -> None:
    save_best(run, {1: 0.5, 2: 0.9, 3: 0.1}, Best(metric="loss", mode="min", keep=1))
    assert run.names("best") == ["000003", "manifest.json"]


def test_best_ones_survive_a_restart(run: Run) -> None:
    save_best(run, {1: 0.5, 2: 0.9})
    save_best(run, {3: 0.4, 4: 0.6})
    assert run.names("best") == ["000002", "000004", "manifest.json"]


@pytest.mark.parametrize("text", [None, "", '{"checkpoints": []}'])
def test_a_lost_manifest_is_made_again_from_the_scores(run: Run, text: str | None) -> None:
    save_best(run, {1: 0.5, 2: 0.9})
    manifest = run.base / "best" / "manifest.json"
    kept = manifest.read_bytes()
    manifest.unlink() if text is None else manifest.write_text(text)
    run.writer(best=WIN).close()
    assert manifest.read_bytes() == kept


def test_directories_are_the_truth(run: Run) -> None:
    save_best(run, {1: 0.5, 2: 0.9})
    shutil.rmtree(run.base / "best" / "000002")
    run.writer(best=WIN).close()
    save_best(run, {3: 0.1})
    assert run.names("best") == ["000001", "000003", "manifest.json"]


def test_one_without_a_score_is_deleted_and_told(run: Run) -> None:
    run.save(1)
    shutil.copytree(run.base / "000001", run.base / "best" / "000001")
    run.writer(best=WIN).close()
    assert run.names("best") == ["manifest.json"]
    assert run.names() == ["000001", "best"]


def test_a_smaller_keep_displaces_at_the_start(run: Run) -> None:
    save_best(run, {1: 0.5, 2: 0.9})
    run.writer(best=Best(metric="win", keep=1)).close()
    assert run.names("best") == ["000002", "manifest.json"]
    assert run.told()[-1] == ("deleted", "best", 1)


def test_another_metric_displaces_only_when_it_needs_the_place(run: Run) -> None:
    save_best(run, {1: 0.5, 2: 0.9})
    draw = Best(metric="draw", keep=2)
    run.writer(best=draw).close()
    assert run.names("best") == ["000001", "000002", "manifest.json"]
    save_best(run, {3: 0.1}, draw)
    assert run.names("best") == ["000002", "000003", "manifest.json"]


def test_milestones_are_never_deleted(run: Run) -> None:
    writer = run.writer(keep_last=1)
    for iteration in (1, 2, 3):
        writer.save(
            a_state(iteration),
            iteration=iteration,
            types=frozenset({"periodic", "milestone"}),
            metadata={},
        )
    writer.wait()
    writer.close()
    assert run.names() == ["000003", "milestones"]
    assert run.names("milestones") == ["000001", "000002", "000003"]
    for info in list_checkpoints(run.run_dir):
        verify(info.path)


def test_what_a_new_attempt_supersedes_is_deleted_and_told(run: Run) -> None:
    every = frozenset({"periodic", "milestone", "best"})
    writer = run.writer(best=Best(metric="win", keep=9))
    for iteration in (1, 2, 3):
        writer.save(
            a_state(iteration),
            iteration=iteration,
            types=every,
            metadata={},
            score=float(iteration),
        )
    writer.supersede_after(1)
    assert [(i.iteration, i.place) for i in list_checkpoints(run.run_dir)] == [
        (1, "checkpoints"), (1, "milestones"), (1, "best"),
    ]  # fmt: skip
    deleted = [r for r in run.records if r["state"] == "deleted"]
    assert len(deleted) == 6
    assert {r["error"] for r in deleted} == {"superseded by an attempt that starts at iteration 1"}
    writer.save(a_state(2), iteration=2, types=PERIODIC | {"best"}, metadata={}, score=0.0)
    writer.wait()
    writer.close()
    assert run.names("best") == ["000001", "000002", "manifest.json"]


def test_a_deletion_that_was_cut_short_is_told_at_the_next_start(run: Run) -> None:
    run.save(1, 2)
    run.records.clear()
    os.rename(run.base / "000001", run.base / ".del-000001-0123abcd")
    (run.base / ".tmp-000003-0123abcd" / "state").mkdir(parents=True)
    (run.base / ".del-somebody-0123abcd").mkdir()
    os.rename(run.base / "000002", run.base / ".old-000002-0123abcd")
    run.writer().close()
    assert run.names() == ["000002"]
    assert run.told() == [("deleted", "periodic", 1)]
    assert run.records[0]["path"] == f"{run.run_dir.name}/checkpoints/000001"
