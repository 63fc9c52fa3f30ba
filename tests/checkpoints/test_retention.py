"""Which checkpoints the policy deletes while a run trains, and which `jaxpot gc` may delete."""

import os
import shutil
from math import nan
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.checkpoints import list_checkpoints, newest_whole, verify
from jaxpot.checkpoints.retention import Rule, beyond_last, collectable, left_behind
from jaxpot.spec import Best
from jaxpot.store.exchange.copying import copy_tree

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
    assert [t for t in run.stages() if t[0] == "deleted"] == [
        ("deleted", "periodic", 999_998),
        ("deleted", "periodic", 999_999),
    ]


def test_the_best_are_kept_and_listed(run: Run) -> None:
    save_best(run, {1: 0.5, 2: 0.9, 3: 0.1, 4: 0.9, 5: nan, 6: 0.9})
    assert run.names("best") == ["000002", "000004", "manifest.json"]
    assert run.names() == ["best"]
    assert run.stages() == [
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


def test_one_without_a_score_is_deleted_and_recorded(run: Run) -> None:
    run.save(1)
    shutil.copytree(run.base / "000001", run.base / "best" / "000001")
    run.writer(best=WIN).close()
    assert run.names("best") == ["manifest.json"]
    assert run.names() == ["000001", "best"]


def test_a_smaller_keep_displaces_at_the_start(run: Run) -> None:
    save_best(run, {1: 0.5, 2: 0.9})
    run.writer(best=Best(metric="win", keep=1)).close()
    assert run.names("best") == ["000002", "manifest.json"]
    assert run.stages()[-1] == ("deleted", "best", 1)


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


def test_what_a_new_attempt_supersedes_is_deleted_and_recorded(run: Run) -> None:
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


def test_a_deletion_that_was_cut_short_is_recorded_at_the_next_start(run: Run) -> None:
    run.save(1, 2)
    run.records.clear()
    os.rename(run.base / "000001", run.base / ".del-000001-0123abcd")
    (run.base / ".tmp-000003-0123abcd" / "state").mkdir(parents=True)
    (run.base / ".del-somebody-0123abcd").mkdir()
    os.rename(run.base / "000002", run.base / ".old-000002-0123abcd")
    run.writer().close()
    assert run.names() == ["000002"]
    assert run.stages() == [("deleted", "periodic", 1)]
    assert run.records[0]["path"] == f"{run.run_dir.name}/checkpoints/000001"


EVERY = PERIODIC | {"milestone", "best"}


def gone(run: Run, rule: Rule | None = None, states=None, **options) -> list[str]:
    found = collectable(run.run_dir, rule or Rule(), states or {}, **options)
    return [item.info.path.relative_to(run.base).as_posix() for item in found]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Four periodic checkpoints, the first two milestones and best ones too."""
    folder = tmp_path_factory.mktemp("collect") / "runs" / "20261122-101530-ab12cd"
    folder.mkdir(parents=True)
    writer = Run(folder.parent, folder, []).writer(best=Best(metric="win", keep=2))
    for iteration in (1, 2, 3, 4):
        types = EVERY if iteration < 3 else PERIODIC
        score = float(iteration) if iteration < 3 else None
        writer.save(a_state(iteration), iteration=iteration, types=types, metadata={}, score=score)
    writer.wait()
    writer.close()
    return folder


@pytest.fixture
def saved(made: Path, run: Run) -> Run:
    """A copy of these, hard links as such."""
    copy_tree(made, run.run_dir)
    return run


def test_nothing_goes_without_a_rule(saved: Run):
    assert gone(saved) == []
    assert left_behind(saved.run_dir) == []


def test_the_last_ones_stay(saved: Run):
    assert gone(saved, Rule(keep_last=2)) == ["000001", "000002"]
    assert gone(saved, Rule(keep_last=1)) == ["000001", "000002", "000003"]
    assert gone(saved, Rule(keep_last=9)) == []


def test_age(saved: Run):
    created = os.stat(saved.base / "000004").st_mtime + 60
    assert gone(saved, Rule(created_before=created)) == ["000001", "000002", "000003"]
    assert gone(saved, Rule(created_before=created, keep_last=3)) == ["000001"]
    assert gone(saved, Rule(created_before=1.0)) == []


def test_the_newest_whole_one_stays_and_all_beyond_it(saved: Run):
    shutil.rmtree(saved.base / "000004" / "state")
    assert newest_whole(saved.run_dir)[0].iteration == 3  # pyright: ignore
    assert gone(saved, Rule(keep_last=1)) == ["000001", "000002"]
    assert gone(saved, Rule(keep_last=1), limit=2) == ["000001"]


def test_without_a_whole_one_nothing_goes(saved: Run):
    for info in list_checkpoints(saved.run_dir):
        (info.path / "metadata.json").unlink()
    assert gone(saved, Rule(keep_last=1)) == []


def test_what_others_need_stays(saved: Run):
    needed = [saved.base / "000001", saved.base / "best" / "000002"]
    assert gone(saved, Rule(keep_last=1), needed=needed) == ["000002", "000003"]


def test_what_the_journal_says_is_deleted_is_an_orphan(saved: Run):
    states = {
        ("checkpoints", 1): "deleted",
        ("checkpoints", 4): "deleted",
        ("best", 1): "committed",
    }
    assert gone(saved, states=states) == ["000001"]


def test_best_ones_that_are_not_among_the_best(saved: Run):
    best = saved.base / "best"
    shutil.copytree(saved.base / "000003", best / "000003")
    assert gone(saved) == ["best/000003"]
    manifest = best / "manifest.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(b"{}")
    assert gone(saved) == []  # nothing says which are the best
    manifest.write_bytes(whole.replace(b'"keep": 2', b'"keep": 3'))
    shutil.rmtree(best / "000003")
    assert gone(saved) == []


def test_one_that_a_killed_save_did_not_list_yet_stays(saved: Run):
    """Its own metadata has a score, by which the next attempt's writer ranks it."""
    best = saved.base / "best"
    kept = (best / "manifest.json").read_bytes()
    writer = saved.writer(best=Best(metric="win", keep=2))
    writer.save(a_state(5), iteration=5, types=PERIODIC | {"best"}, metadata={}, score=9.0)
    writer.wait()
    writer.close()
    saved.save(6)
    (best / "manifest.json").write_bytes(kept)
    assert "best/000005" not in gone(saved)


def test_what_kills_left(saved: Run):
    for name in (".tmp-000009-0123abcd", ".del-000008-0123abcd", ".old-000004-0123abcd"):
        (saved.base / name).mkdir()
    (saved.base / "best" / ".tmp-manifest.json-0123abcd").write_text("")
    os.rename(saved.base / "000003", saved.base / ".old-000003-0123abcd")  # that is the checkpoint
    assert [path.name for path in left_behind(saved.run_dir)] == [
        *(".del-000008-0123abcd", ".old-000004-0123abcd", ".tmp-000009-0123abcd"),
        ".tmp-manifest.json-0123abcd",
    ]
