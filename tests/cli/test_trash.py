"""`jaxpot rm` and `jaxpot restore`."""

import json

import pytest

from jaxpot.cli.trash import restore_command, rm_command
from jaxpot.errors import UserError
from jaxpot.store import RunLock, Store
from tests.cli.runs import call
from tests.store.journals import Writer

A, B = "20261122-101530-aaaaaa", "20261122-111530-bbbbbb"


def uids(runs_dir):
    return [row.uid for row in Store(runs_dir).runs()]


def said(done, runs_dir):
    return (done.exit_code, done.stdout, done.stderr.replace(str(runs_dir), "runs"))


def rm_(runs_dir, *arguments):
    return call(rm_command, runs_dir, *arguments)


def test_there_and_back(runs_dir):
    done = rm_(runs_dir, "latest", "--json")
    assert [row["uid"] for row in json.loads(done.stdout)] == [B]
    assert done.stderr.replace(str(runs_dir), "runs") == (
        "moved 1 run to runs/.trash; `jaxpot rm --purge` empties it\n"
        f"to undo this: jaxpot restore {B}\n"
    )
    assert uids(runs_dir) == [A]
    listed = json.loads(call(restore_command, runs_dir, "--json").stdout)
    assert [list(row) for row in listed] == [["uid", "name", "removed", "bytes", "path"]]
    assert call(restore_command, runs_dir).stdout.splitlines()[1].startswith(B)
    back = call(restore_command, runs_dir, "other", "--json")
    assert json.loads(back.stdout) == [{"uid": B, "name": "other", "path": str(runs_dir / B)}]
    assert uids(runs_dir) == [B, A]
    assert call(restore_command, runs_dir).stderr == f"the trash of {runs_dir} is empty\n"


def test_a_dry_run_does_nothing(runs_dir):
    for arguments in (("ttt", "other"), ("ttt", "--purge")):
        done = rm_(runs_dir, *arguments, "--dry-run")
        assert "would be" in done.stderr
    assert uids(runs_dir) == [B, A]
    assert not (runs_dir / ".trash").exists()


def test_a_running_run_is_refused_and_the_others_stay(runs_dir):
    with RunLock(runs_dir / B):
        done = rm_(runs_dir, "ttt", "other")
    assert str(done.exception) == f"still running: {B} (other); stop it first, nothing was removed"
    assert uids(runs_dir) == [B, A]


def test_every_run_of_a_tag(runs_dir):
    Writer(runs_dir, "20261122-121530-cccccc", name="third").header()
    rm_(runs_dir, "quickstart", "--every")
    assert uids(runs_dir) == [B]


def test_purging_asks_first(runs_dir, monkeypatch):
    done = rm_(runs_dir, "ttt", "--purge")
    assert isinstance(done.exception, UserError)
    assert "Add --yes; nothing was deleted" in str(done.exception)
    rm_(runs_dir, "other")
    assert "deleted for good: 1 run" in rm_(runs_dir, "ttt", "--purge", "--yes").stderr
    assert uids(runs_dir) == []
    assert "Add --yes" in str(rm_(runs_dir, "--purge").exception)
    assert [row["uid"] for row in json.loads(rm_(runs_dir, "--purge", "-y", "--json").stdout)] == [
        B
    ]
    assert not (runs_dir / ".trash").exists()
    assert rm_(runs_dir, "--purge").stderr == f"the trash of {runs_dir} is empty\n"


def test_purging_one_in_the_trash(runs_dir):
    rm_(runs_dir, "ttt", "other")
    rm_(runs_dir, "other", "--purge", "-y")
    assert call(restore_command, runs_dir, "--json").stdout.count('"uid"') == 1
    missing = str(rm_(runs_dir, "other", "--purge", "-y").exception)
    assert "no run in the trash is called 'other'" in missing


def test_what_others_need(runs_dir):
    child = Writer(runs_dir, "20261122-121530-cccccc", name="child")
    child.header(parent=f"{A}/checkpoints/000010")
    done = rm_(runs_dir, "ttt", "--purge", "--yes")
    assert "--force deletes it anyway" in str(done.exception)
    done = rm_(runs_dir, "ttt")
    assert f"note: run {child.uid} (child) started from {A}/checkpoints/000010" in done.stderr
    assert "--force" in str(rm_(runs_dir, "--purge", "--yes").exception)
    assert rm_(runs_dir, "--purge", "--yes", "--force").exit_code == 0
    assert sorted(uids(runs_dir)) == [B, child.uid]


@pytest.mark.parametrize("arguments", [(), ("nope",), ("2026",)])
def test_what_is_refused(runs_dir, arguments):
    assert isinstance(rm_(runs_dir, *arguments).exception, UserError)
    assert uids(runs_dir) == [B, A]
