"""Tags and notes, of runs that are over and of running ones."""

import json
import os
import threading

import pytest

from jaxpot.errors import UserError
from jaxpot.journal import Journal, JournalError, Payload, read_record
from jaxpot.store import RunLock, Store, find
from jaxpot.store.annotate import MAX_NOTE, check_tag, note, tag, tags_on
from tests.journal.reading import live_payloads, read_header
from tests.store.journals import complete_run


@pytest.fixture
def run(runs_dir):
    """A complete run with the tags `kept` and `quickstart`."""
    return complete_run(runs_dir, "20261122-101530-aaaaaa")


def kinds(run):
    return [json.loads(line)["kind"] for line in run.path.read_bytes().splitlines()]


def test_tags_are_added_and_removed(run, runs_dir):
    ref = find(runs_dir, run.uid)
    done = tag(ref, add=["best", "best", "kept"], remove=["quickstart", "nope"])
    assert done == (("best",), ("quickstart",), ("best", "kept"))
    assert tags_on(ref) == {"best", "kept"}
    assert Store(runs_dir).runs()[0].tags == ("best", "kept")
    assert kinds(run)[-3:] == ["end", "untag", "tag"]
    assert tag(ref, add=["quickstart"]).tags == ("best", "kept", "quickstart")
    store = Store(runs_dir)
    assert store.runs()[0].tags == ("best", "kept", "quickstart")
    store.rebuild()
    assert store.runs()[0].tags == ("best", "kept", "quickstart")


def test_a_tag_that_is_there_is_not_written_again(run, runs_dir):
    before = run.path.read_bytes()
    tag(find(runs_dir, run.uid), add=["kept"], remove=["nope"])
    assert run.path.read_bytes() == before


def test_a_torn_line_is_cut_off_first(run, runs_dir):
    run.raw(b'{"kind":"payload","ti')
    tag(find(runs_dir, run.uid), add=["best"])
    assert kinds(run)[-2:] == ["end", "tag"]


@pytest.mark.parametrize("word", ["", "a b", "-x", "é", "x" * 101, "a/b", "..", "a\n"])
def test_what_is_no_tag(run, runs_dir, word):
    with pytest.raises(UserError, match="is no tag: letters, digits"):
        tag(find(runs_dir, run.uid), add=[word])
    assert check_tag("v1.2-rc_3") == "v1.2-rc_3"


def test_notes(run, runs_dir):
    ref = find(runs_dir, run.uid)
    assert note(ref, " two\nlines é \n") == "two\nlines é"
    store = Store(runs_dir)
    assert [row["note"] for row in store.describe(run.uid)["notes"]] == [
        "a good one",
        "two\nlines é",
    ]
    for text, why in (
        ("  ", "needs a text"),
        ("x" * (MAX_NOTE + 1), "at most"),
        ("\ud800", "UTF-8"),
    ):
        with pytest.raises(UserError, match=why):
            note(ref, text)


def test_a_running_run_is_annotated_between_its_lines(run, runs_dir):
    ref = find(runs_dir, run.uid)
    with RunLock(run.folder), Journal(run.path) as journal:

        def train():
            for iteration in range(20, 320):
                journal.append(Payload(attempt=1, iter=iteration, values={"x": 1.0}))

        training = threading.Thread(target=train)
        training.start()
        for number in range(20):
            tag(ref, add=[f"t{number}"])
        training.join()
    assert len(list(live_payloads(run.path))) == 320
    assert {f"t{number}" for number in range(20)} <= tags_on(ref)
    assert all(json.loads(line) for line in run.path.read_bytes().splitlines())


def test_what_a_running_run_left_torn_becomes_a_line_of_its_own(run, runs_dir):
    with RunLock(run.folder):
        run.raw(b'{"torn')
        tag(find(runs_dir, run.uid), add=["best"])
    assert run.path.read_bytes().splitlines()[-2] == b'{"torn'
    assert tags_on(find(runs_dir, run.uid)) == {"best", "kept", "quickstart"}


def test_a_full_disk_takes_nothing_of_it(run, runs_dir, monkeypatch):
    before, write = run.path.read_bytes(), os.write
    with RunLock(run.folder):
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:10]))
        with pytest.raises(JournalError, match="make room and try again"):
            tag(find(runs_dir, run.uid), add=["best"])
    assert run.path.read_bytes() == before


def test_what_resuming_and_verifying_read_stays(run, runs_dir):
    """Before an attempt, between two, and while the second runs."""
    ref = find(runs_dir, run.uid)

    def annotated():
        before = read_header(run.path), read_record(run.folder), list(live_payloads(run.path))
        tag(ref, add=["best"], remove=["kept"])
        note(ref, "x")
        tag(ref, add=["kept"], remove=["best"])
        after = read_header(run.path), read_record(run.folder), list(live_payloads(run.path))
        return before == after

    assert annotated()
    run.start(10)
    run.payloads(range(10, 15))
    with RunLock(run.folder):
        assert annotated()
    assert read_record(run.folder).attempt == 2
