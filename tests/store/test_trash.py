"""Runs to the trash and back, and deleted for good."""

import os
import threading
import time

import pytest

from jaxpot.errors import UserError
from jaxpot.store import RunLock, RunLockedError, Store, find
from jaxpot.store import runs as runs_module
from jaxpot.store.trash import (
    find_trashed,
    freed_bytes,
    leftovers,
    needing,
    purge,
    remove,
    restore,
    trashed,
    what_breaks,
)
from tests.store.journals import START, Writer, complete_run

A, B = "20261122-101530-aaaaaa", "20261122-111530-bbbbbb"


@pytest.fixture
def two(runs_dir):
    """Two complete runs."""
    complete_run(runs_dir, A)
    complete_run(runs_dir, B, name="other", start=START + 60)
    return runs_dir


def everything(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_there_and_back(two):
    store = Store(two)
    before = store.sql("SELECT * FROM metric ORDER BY ALL")
    files = everything(two / A)
    gone = remove(two, find(two, A))
    assert (gone.uid, gone.name, gone.path) == (A, "ttt", two / ".trash" / A)
    assert [row.uid for row in store.runs()] == [B]
    assert store.sql("SELECT DISTINCT run FROM metric")[1] == [("other",)]
    assert restore(two, find_trashed(two, "ttt")).path == two / A
    assert store.sql("SELECT * FROM metric ORDER BY ALL") == before
    files["run.lock"] = everything(two / A).pop("run.lock", b"")
    assert {str(k): v for k, v in everything(two / A).items() if k.name != "run.lock"} == {
        str(k): v for k, v in files.items() if str(k) != "run.lock"
    }


def test_a_running_run_stays(two, monkeypatch):
    monkeypatch.setattr(runs_module, "_LOCK_WAIT_SECONDS", 0.05)
    with RunLock(two / A), pytest.raises(RunLockedError, match="is being written by process"):
        remove(two, find(two, A))
    assert (two / A).is_dir()


def test_who_waits_for_the_lock_of_a_run_that_goes_is_told(two, monkeypatch):
    """A resume that began to wait before the rename must not write into the trash."""
    monkeypatch.setattr(runs_module, "_LOCK_WAIT_SECONDS", 5.0)
    found: list[Exception] = []

    def resume():
        try:
            RunLock(two / A).acquire()
        except UserError as error:
            found.append(error)

    with RunLock(two / A):
        waiting = threading.Thread(target=resume)
        waiting.start()
        time.sleep(0.1)
        (two / ".trash").mkdir()
        (two / A).rename(two / ".trash" / A)
    waiting.join()
    assert [str(error) for error in found] == [f"run {A} was removed just now"]


def test_restoring_does_not_replace(two):
    remove(two, find(two, A))
    complete_run(two, A)
    with pytest.raises(UserError, match="cannot be restored: there is one of that uid"):
        restore(two, find_trashed(two, A))
    again = remove(two, find(two, A))
    assert again.path.name == f"{A}~2"
    assert {run.uid for run in trashed(two)} == {A}
    restore(two, find_trashed(two, again.path.name))
    other = remove(two, find(two, B))
    restore(two, other)
    (two / B).rename(two / "elsewhere")
    with pytest.raises(UserError, match="not in the trash any more"):
        restore(two, other)


def test_finding_in_the_trash(two):
    with pytest.raises(UserError, match="is empty"):
        find_trashed(two, "latest")
    for uid in (B, A):
        remove(two, find(two, uid))
        time.sleep(0.02)  # the clock of the file system
    assert find_trashed(two, "latest").uid == A
    assert find_trashed(two, "20261122-11").uid == B
    with pytest.raises(UserError, match="start of several runs in the trash"):
        find_trashed(two, "2026")
    with pytest.raises(UserError, match="no run in the trash is called 'nope'; there are"):
        find_trashed(two, "nope")


def test_purging(two):
    size = sum(len(data) for data in everything(two / A).values())
    gone = remove(two, find(two, A))
    lock = (gone.path / "run.lock").stat().st_size
    assert purge(two, [gone, gone]) == size + lock
    assert not (two / ".trash").exists()
    assert (two / B).is_dir()


def test_a_purge_that_was_killed_is_finished_by_the_next(two, monkeypatch):
    gone = remove(two, find(two, A))
    monkeypatch.setattr("shutil.rmtree", lambda path: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(OSError, match="killed"):
        purge(two, [gone])
    monkeypatch.undo()
    assert trashed(two) == []
    assert len(list(leftovers(two))) == 1
    purge(two, [])
    assert not (two / ".trash").exists()


def test_bytes_of_hard_links(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "x").write_bytes(b"x" * 100)
    os.link(tmp_path / "a" / "x", tmp_path / "b" / "x")
    (tmp_path / "b" / "y").write_bytes(b"y" * 10)
    (tmp_path / "b" / "z").symlink_to(tmp_path / "a" / "x")
    link = (tmp_path / "b" / "z").lstat().st_size
    assert freed_bytes([tmp_path / "a"]) == 0
    assert freed_bytes([tmp_path / "b"]) == 10 + link
    assert freed_bytes([tmp_path]) == 110 + link
    assert freed_bytes([tmp_path / "a" / "x", tmp_path / "none"]) == 0


def test_who_needs_a_run(two):
    child = Writer(two, "20261122-121530-cccccc", name="child")
    child.header(parent=f"{A}/checkpoints/best/000010")
    child.start()
    child.event("opponent", {"run": B, "checkpoint": f"{B}/checkpoints/000010"})
    child.payload(0)
    child.event("opponent", {"run": A, "checkpoint": f"{A}/checkpoints/000020"})
    assert [(one.owner, one.role) for one in needing(two, {A, B})] == [
        (A, "start"),
        (B, "opponent"),
    ]
    assert needing(two, {A, child.uid}) == []
    assert "started from" in what_breaks(needing(two, {A}))
    assert "is evaluated against" in what_breaks(needing(two, {B}))
