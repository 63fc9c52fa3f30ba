"""What of a run's checkpoints can go."""

import os
import shutil
from pathlib import Path

import pytest

from jaxpot.checkpoints import list_checkpoints, newest_whole
from jaxpot.checkpoints.collect import Rule, collectable, left_behind
from jaxpot.spec import Best
from jaxpot.store.exchange.copying import copy_tree

from .conftest import PERIODIC, Run, a_state

EVERY = PERIODIC | {"milestone", "best"}


def gone(run: Run, rule: Rule | None = None, told=None, **options) -> list[str]:
    found = collectable(run.run_dir, rule or Rule(), told or {}, **options)
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
    told = {("checkpoints", 1): "deleted", ("checkpoints", 4): "deleted", ("best", 1): "committed"}
    assert gone(saved, told=told) == ["000001"]


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
