"""Garbage collection: what is found is what goes, and the journals say so."""

import os
import shutil
import time

import pytest

from jaxpot.checkpoints import CheckpointWriter, list_checkpoints, verify
from jaxpot.spec import Best, Checkpoint
from jaxpot.store import RunLock, Store, find
from jaxpot.store.exchange.copying import copy_tree
from jaxpot.store.exchange.journals import staging
from jaxpot.store.garbage import Rule, apply, plan
from jaxpot.store.trash import freed_bytes
from tests.checkpoints.conftest import PERIODIC, a_state
from tests.store.journals import Writer

UID = "20261122-101530-aaaaaa"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with four checkpoints, the first a milestone and a best one too."""
    runs_dir = tmp_path_factory.mktemp("gc") / "runs"
    run = Writer(runs_dir, UID)
    run.header()
    run.start()

    def record(row):
        run.record(row.pop("kind"), attempt=1, **row)

    policy = Checkpoint(every=1, keep_last=9, best=Best(metric="win", keep=1))
    writer = CheckpointWriter(run.folder, runs_dir, policy, record)
    for iteration in (1, 2, 3, 4):
        types, score = (
            (PERIODIC | {"milestone", "best"}, 1.0) if iteration == 1 else (PERIODIC, None)
        )
        writer.save(a_state(iteration), iteration=iteration, types=types, metadata={}, score=score)
    writer.wait()
    writer.close()
    run.end()
    return runs_dir


@pytest.fixture
def runs_dir(made, tmp_path):
    """A copy of it, hard links as such."""
    (tmp_path / "runs").mkdir()
    copy_tree(made, tmp_path / "runs")
    return tmp_path / "runs"


def names(runs_dir):
    base = runs_dir / UID / "checkpoints"
    return [i.path.relative_to(base).as_posix() for i in list_checkpoints(runs_dir / UID)]


def test_the_plan_deletes_nothing_and_is_what_is_applied(runs_dir):
    refs = [find(runs_dir, UID)]
    before = names(runs_dir)
    rule = Rule(keep_last=1)
    planned = plan(runs_dir, refs, rule, everywhere=True)
    assert names(runs_dir) == before
    assert [found.iteration for found in planned.findings] == [1, 2, 3]
    # The first shares its files with a milestone and a best one, which stay.
    assert [found.bytes > 0 for found in planned.findings] == [False, True, True]
    assert planned.bytes == sum(found.bytes for found in planned.findings)
    size = freed_bytes([runs_dir / UID / "checkpoints"])
    done = apply(runs_dir, refs, rule, everywhere=True)
    assert done == planned
    assert freed_bytes([runs_dir / UID / "checkpoints"]) == size - done.bytes
    assert names(runs_dir) == ["milestones/000001", "best/000001", "000004"]
    for info in list_checkpoints(runs_dir / UID):
        verify(info.path)
    assert apply(runs_dir, refs, rule, everywhere=True).findings == ()


def test_the_tables_know(runs_dir):
    apply(runs_dir, [find(runs_dir, UID)], Rule(keep_last=3), everywhere=False)
    store = Store(runs_dir)
    rows = store.sql("SELECT iteration, kind, state, error FROM checkpoints ORDER BY ALL")[1]
    assert rows == [
        (1, "best", "committed", None),
        (1, "milestone", "committed", None),
        (1, "periodic", "deleted", "jaxpot gc: it is old"),
        *((n, "periodic", "committed", None) for n in (2, 3, 4)),
    ]
    assert store.runs()[0].status == "completed"


def test_a_running_run_is_left_alone(runs_dir):
    refs = [find(runs_dir, UID)]
    with RunLock(runs_dir / UID):
        for act in (plan, apply):
            found = act(runs_dir, refs, Rule(keep_last=1), everywhere=False)
            assert (found.findings, found.bytes) == ((), 0)
            assert found.skipped == (f"run {UID} (ttt) is left alone: it is running",)
    assert len(names(runs_dir)) == 6


def test_what_kills_left_goes_and_is_told(runs_dir):
    base = runs_dir / UID / "checkpoints"
    (base / "000002").rename(base / ".del-000002-0123abcd")
    shutil.copytree(base / "000003", base / ".tmp-000005-0123abcd")
    found = apply(runs_dir, [find(runs_dir, UID)], Rule(), everywhere=False)
    assert [item.path.name for item in found.findings] == [
        ".del-000002-0123abcd",
        ".tmp-000005-0123abcd",
    ]
    assert sorted(path.name for path in base.iterdir()) == [
        *("000001", "000003", "000004", "best", "milestones"),
    ]
    rows = Store(runs_dir).sql("SELECT iteration FROM checkpoints WHERE state = 'deleted'")[1]
    assert rows == [(2,)]


def test_what_another_run_started_from_stays(runs_dir):
    child = Writer(runs_dir, "20261122-111530-bbbbbb", name="child")
    child.header(parent=f"{UID}/checkpoints/000002")
    found = plan(runs_dir, [find(runs_dir, UID)], Rule(keep_last=1), everywhere=False)
    assert [item.iteration for item in found.findings] == [1, 3]


def test_what_lies_beside_the_runs(runs_dir):
    (runs_dir / ".trash").mkdir()
    old = time.time() - 7200
    strays = [".making-x", ".importing-x", ".trash/.purging-x-01234567"]
    for name in strays:
        (runs_dir / name).mkdir()
    (runs_dir / "jaxpot.duckdb.rebuild").write_bytes(b"x" * 10)
    (runs_dir / ".making-young").mkdir()
    for name in (*strays, "jaxpot.duckdb.rebuild"):
        os.utime(runs_dir / name, (old, old))
    assert plan(runs_dir, [], Rule(), everywhere=False).findings == ()
    found = apply(runs_dir, [], Rule(), everywhere=True)
    assert [item.path.relative_to(runs_dir).as_posix() for item in found.findings] == [
        *strays,
        "jaxpot.duckdb.rebuild",
    ]
    assert found.bytes == 10
    left = {path.name for path in runs_dir.iterdir()}
    assert left == {UID, ".trash", ".making-young", "jaxpot.lock"}


def test_a_run_that_cannot_be_resumed_is_left_alone(runs_dir):
    run = Writer(runs_dir, UID)
    lines = run.path.read_bytes().splitlines(keepends=True)
    run.path.write_bytes(lines[0].replace(b'"spec":{', b'"spex":{') + b"".join(lines[1:]))
    found = plan(runs_dir, [find(runs_dir, UID)], Rule(keep_last=1), everywhere=False)
    assert found.findings == ()
    assert "this journal has no spec" in found.skipped[0]


def test_what_a_link_leads_to_is_not_touched(runs_dir, tmp_path):
    base = runs_dir / UID / "checkpoints"
    base.rename(tmp_path / "elsewhere")
    base.symlink_to(tmp_path / "elsewhere")
    for act in (plan, apply):
        found = act(runs_dir, [find(runs_dir, UID)], Rule(keep_last=1), everywhere=False)
        assert found.findings == ()
        assert "is a link, and what it leads to is not touched" in found.skipped[0]
    assert len(names(runs_dir)) == 6


def test_an_import_that_goes_on_is_not_taken_for_a_stray(runs_dir):
    with staging(runs_dir) as room:
        old = time.time() - 7200
        os.utime(room, (old, old))
        assert plan(runs_dir, [], Rule(), everywhere=True).findings == ()
    assert plan(runs_dir, [], Rule(), everywhere=True).findings == ()
