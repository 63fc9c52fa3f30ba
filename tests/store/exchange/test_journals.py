"""Runs of another machine, taken in under their uids."""

import json
import os

import pytest

from jaxpot.errors import UserError
from jaxpot.store import RunLock, RunLockedError, Store, find
from jaxpot.store.annotate import note, tag, tags_on
from jaxpot.store.exchange.importing import import_path
from jaxpot.store.exchange.journals import import_journal
from tests.cli.runs import two_runs
from tests.store.journals import Writer, complete_run

A, B = "20261122-101530-aaaaaa", "20261122-111530-bbbbbb"


@pytest.fixture
def there(tmp_path):
    """Another machine's runs."""
    two_runs(tmp_path / "there")
    return tmp_path / "there"


@pytest.fixture
def here(tmp_path):
    """The place for runs here, which is not there yet."""
    return tmp_path / "here"


def actions(here, path, **options):
    return [(run.uid[-6:], run.action) for run in import_path(here, path, **options)]


def rows(store, table):
    """A table as text: NaN is equal to no NaN."""
    return str(store.sql(f"FROM {table} ORDER BY ALL"))


def test_a_folder_of_runs(here, there):
    assert actions(here, there) == [("aaaaaa", "imported"), ("bbbbbb", "imported")]
    ours, theirs = Store(here), Store(there)
    for query in ("metric", "runs", "events", "checkpoints", "tags", "notes", "keys", "params"):
        assert rows(ours, query) == rows(theirs, query)
    assert [row.uid for row in ours.runs()] == [B, A]
    assert ours.show("ttt")["spec"] == theirs.show("ttt")["spec"]
    ours.rebuild()
    assert rows(ours, "metric") == rows(theirs, "metric")
    assert sorted(path.name for path in here.iterdir() if path.name.startswith(".")) == []


def test_one_run_and_a_journal(here, there):
    assert actions(here, there / A) == [("aaaaaa", "imported")]
    assert actions(here, there / B / "journal.jsonl") == [("bbbbbb", "imported")]


def test_again(here, there):
    actions(here, there)
    before = (here / A / "journal.jsonl").read_bytes()
    assert actions(here, there) == [("aaaaaa", "skipped"), ("bbbbbb", "skipped")]
    tag(find(here, A), add=["mine"])
    found = list(import_path(here, there / A, update=True))
    assert found[0][2:] == ("skipped", "it is here, and further")
    assert (here / A / "journal.jsonl").read_bytes().startswith(before)


def test_another_run_under_the_same_uid_is_refused(here, there):
    Writer(here, A, name="another").header()
    before = (here / A / "journal.jsonl").read_bytes()
    assert actions(here, there, update=True) == [("aaaaaa", "refused"), ("bbbbbb", "imported")]
    assert (here / A / "journal.jsonl").read_bytes() == before


def test_what_is_new_is_taken_in_when_asked(here, there):
    """Tags and notes that were added here stay."""
    actions(here, there)
    Store(here).ingest()
    ref = find(here, A)
    tag(ref, add=["mine"], remove=["kept"])
    note(ref, "from here")
    Store(here).ingest()
    run = Writer(there, A)
    run.start(15)
    run.payloads(range(15, 25))
    run.raw(b'{"kind":"payload","torn')
    (there / A / "checkpoints" / "000025").mkdir(parents=True)
    (there / A / "checkpoints" / "000025" / "metadata.json").write_text("{}")
    assert actions(here, there) == [("aaaaaa", "skipped"), ("bbbbbb", "skipped")]
    assert actions(here, there, update=True) == [("aaaaaa", "updated"), ("bbbbbb", "skipped")]
    assert tags_on(ref) == {"quickstart", "mine"}
    assert [row["note"] for row in Store(here).describe(A)["notes"]] == ["a good one", "from here"]
    assert Store(here).runs()[1].iterations == 25
    assert (here / A / "checkpoints" / "000025" / "metadata.json").read_text() == "{}"
    assert actions(here, there, update=True) == [("aaaaaa", "skipped"), ("bbbbbb", "skipped")]


def test_a_running_run_is_not_updated(here, there, monkeypatch):
    monkeypatch.setattr("jaxpot.store.runs._LOCK_WAIT_SECONDS", 0.05)
    actions(here, there)
    Writer(there, A).record("tag", tag="new")
    with RunLock(here / A), pytest.raises(RunLockedError):
        import_journal(here, there / A, update=True)


def test_what_is_copied(here, there):
    folder = there / A
    for name in ("checkpoints/000010", "checkpoints/milestones/000010", "checkpoints/.tmp-x"):
        (folder / name).mkdir(parents=True)
    (folder / "checkpoints/000010/metadata.json").write_text("x" * 100)
    os.link(
        folder / "checkpoints/000010/metadata.json",
        folder / "checkpoints/milestones/000010/metadata.json",
    )
    (folder / "samples.json").write_text("[]")
    (folder / "sinks" / "tensorboard").mkdir(parents=True)
    (folder / "run.lock").write_text("process 1 on there")
    (folder / "secret").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    found = import_journal(here, folder)
    assert found.detail == "left out 2 links and other odd files"
    copied = here / A / "checkpoints"
    assert sorted(path.name for path in (here / A).iterdir()) == [
        *("checkpoints", "journal.jsonl", "samples.json"),
    ]
    assert sorted(path.name for path in copied.iterdir()) == ["000010", "milestones"]
    assert (copied / "000010/metadata.json").samefile(copied / "milestones/000010/metadata.json")
    import_journal(here, there / B, checkpoints=False)
    assert sorted(path.name for path in (here / B).iterdir()) == ["journal.jsonl"]


def test_a_torn_line_stays_behind(here, there):
    Writer(there, A).raw(b'{"kind":"payload"')
    actions(here, there)
    assert (here / A / "journal.jsonl").read_bytes().endswith(b'"}\n')


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"", "its first line is no header"),
        (b"garbage\n", "its first line is no header"),
        (b'{"kind":"header","journal_version":1,"uid":"../../x"}\n', "is not a run's uid"),
        (b'{"kind":"header","journal_version":1,"uid":".x"}\n', "is not a run's uid"),
        (b'{"kind":"header","journal_version":1,"uid":7}\n', "says no uid"),
        (b'{"kind":"header","journal_version":99,"uid":"x"}\n', "upgrade jaxpot"),
    ],
)
def test_what_is_refused(here, tmp_path, header, why):
    folder = tmp_path / "stranger"
    folder.mkdir()
    (folder / "journal.jsonl").write_bytes(header)
    with pytest.raises(UserError, match=why):
        import_journal(here, folder)
    found = list(import_path(here, folder))
    assert [run.action for run in found] == ["refused"]
    assert not here.exists()


def test_a_journal_that_is_a_link_is_none(here, there, tmp_path):
    folder = tmp_path / "stranger"
    folder.mkdir()
    (folder / "journal.jsonl").symlink_to(there / A / "journal.jsonl")
    with pytest.raises(UserError, match="is no journal"):
        import_journal(here, folder)
    with pytest.raises(UserError, match="nothing to import"):
        list(import_path(here, folder))


def test_a_killed_import_leaves_no_run(here, there, monkeypatch):
    monkeypatch.setattr(
        "jaxpot.store.exchange.journals.copy_tree",
        lambda *a, **k: (_ for _ in ()).throw(OSError("full")),
    )
    with pytest.raises(OSError, match="full"):
        import_journal(here, there / A)
    assert list(here.iterdir()) == []


def test_nothing_to_import(here, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd.txt").write_text("x")
    for path, why in (
        ("empty", "nothing to import"),
        ("odd.txt", "nor an archive"),
        ("no", "no such"),
    ):
        with pytest.raises(UserError, match=why):
            list(import_path(here, tmp_path / path))


def test_a_stranger_s_journal_is_only_data(here, tmp_path):
    """Import paths, links and odd values in it are text in the tables, and nothing else."""
    run = complete_run(tmp_path / "there", A)
    lines = run.path.read_bytes().splitlines(keepends=True)
    header = json.loads(lines[0])
    header["spec"]["model"] = {"kind": "this.module.does.not.exist:Bad", "x": "__import__('os')"}
    header["parent"] = "../../../etc/passwd"
    run.path.write_bytes(json.dumps(header).encode() + b"\n" + b"".join(lines[1:]))
    assert actions(here, tmp_path / "there") == [("aaaaaa", "imported")]
    store = Store(here)
    assert store.show(A)["spec"]["model"]["kind"] == "this.module.does.not.exist:Bad"
    assert store.runs()[0].status == "completed"
