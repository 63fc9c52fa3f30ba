"""Uids, folders, locks, and finding a run by a user's word for it."""

import subprocess
import sys

import pytest

from jaxpot.errors import UserError
from jaxpot.store import RunLock, RunLockedError, create_run, find, is_running, new_uid, run_dir
from jaxpot.store.runs import journals
from tests.store.journals import START, Writer


def test_uids_sort_by_time_and_differ():
    uids = {new_uid() for _ in range(50)}
    assert len(uids) == 50
    assert all(len(uid) == len("20261122-101530-ab12cd") for uid in uids)


@pytest.mark.parametrize("uid", ["", ".", "..", "../x", "a/b", "/etc", "a\0b", "-x", "x" * 200])
def test_a_uid_cannot_leave_the_runs_directory(runs_dir, uid):
    with pytest.raises(UserError, match="is not a run's uid"):
        run_dir(runs_dir, uid)


def test_create_run_makes_a_folder(runs_dir):
    with create_run(runs_dir, {"journal_version": 1, "name": "fresh"}) as (uid, folder):
        assert is_running(folder)
        assert find(runs_dir, "fresh").uid == uid
    assert folder == runs_dir / uid
    assert folder.is_dir()


@pytest.fixture
def three(runs_dir):
    """Three runs, two of one name; the newest by its clock has the least uid."""
    for uid, name, start in (
        ("20261122-100000-cccccc", "ttt", START),
        ("20261122-100000-aaaaaa", "ttt", START + 9),
        ("20261122-110000-bbbbbb", "other", START + 5),
    ):
        Writer(runs_dir, uid, name=name, start=start).header()
    return runs_dir


@pytest.mark.parametrize(
    ("selector", "uid"),
    [
        ("20261122-110000-bbbbbb", "20261122-110000-bbbbbb"),
        ("20261122-11", "20261122-110000-bbbbbb"),
        ("ttt", "20261122-100000-aaaaaa"),
        ("latest", "20261122-100000-aaaaaa"),
    ],
)
def test_find(three, selector, uid):
    ref = find(three, selector)
    assert (ref.uid, ref.path) == (uid, three / uid)
    assert ref.name in ("ttt", "other")


@pytest.mark.parametrize("selector", ["2026", "nope", "", "../runs", "%"])
def test_find_lists_what_there_is(three, selector, snapshot):
    with pytest.raises(UserError) as caught:
        find(three, selector)
    assert str(caught.value).replace(str(three), "runs") == snapshot


def test_find_without_runs(runs_dir):
    with pytest.raises(UserError, match="there is no run in"):
        find(runs_dir, "latest")
    assert not runs_dir.exists()


def test_journals_are_only_plain_files_in_plain_folders(run, runs_dir):
    (runs_dir / ".hidden").mkdir()
    (runs_dir / "empty").mkdir()
    (runs_dir / "README.md").write_text("hello")
    (runs_dir / "odd" / "journal.jsonl").mkdir(parents=True)
    assert [file.uid for file in journals(runs_dir)] == [run.uid]


HOLD = """
import sys
from pathlib import Path
from jaxpot.store import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_has_one_writer(run):
    assert not is_running(run.folder)
    assert not (run.folder / "run.lock").exists()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert is_running(run.folder)
        with pytest.raises(RunLockedError, match=f"is being written by process {holder.pid} on "):
            RunLock(run.folder).acquire()
        holder.kill()
        holder.wait()
        assert not is_running(run.folder)
    with RunLock(run.folder):
        assert is_running(run.folder)
