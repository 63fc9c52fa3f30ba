"""`rebuild`, asked for or because an older jaxpot wrote the file: the same rows, nothing lost."""

import shutil
import subprocess
import sys

import duckdb
import pytest

from jaxpot.journal import JOURNAL_NAME
from jaxpot.store import DatabaseHeldError, Store, StoreError, annotate, database, errors
from tests.store.journals import Writer, complete_run
from tests.store.test_database import held
from tests.store.test_ingest import everything


def test_a_rebuilt_database_has_the_same_rows(runs_dir):
    uids = ["20261122-101530-cccccc", "20261122-101530-aaaaaa"]
    store = Store(runs_dir)
    for uid in uids:  # not in the order of their uids
        complete_run(runs_dir, uid)
        store.ingest()
    run = Writer(runs_dir, "20261122-101530-bbbbbb")
    run.header()
    run.start()
    run.payloads(range(8))
    store.ingest()
    run.raw(b"garbage\n")
    run.start(4)
    run.payload(4, {"total_loss": "NaN", "new": 1.0})
    run.checkpoint(4, "begun")
    run.raw(b"torn")
    before = everything(runs_dir)
    report = store.rebuild()
    assert (report.runs, len(report.skipped)) == (3, 1)
    assert everything(runs_dir) == before
    assert sorted(path.name for path in runs_dir.iterdir() if path.is_file()) == [
        *("jaxpot.duckdb", "jaxpot.lock")
    ]


def test_a_removed_database_is_made_again(runs_dir):
    complete_run(runs_dir, "20261122-101530-aaaaaa")
    assert Store(runs_dir).rebuild().points == 80


def test_without_runs_there_is_nothing_to_rebuild(runs_dir):
    with pytest.raises(StoreError, match="there is no run in"):
        Store(runs_dir).rebuild()
    assert not runs_dir.exists()


def test_a_held_database_is_not_replaced(runs_dir, run):
    store = Store(runs_dir)
    store.ingest()
    inode = store.path.stat().st_ino
    with held(store.path) as pid, pytest.raises(DatabaseHeldError, match=f"process {pid}"):
        store.rebuild(wait=0.1)
    assert store.path.stat().st_ino == inode
    assert not store.path.with_name("jaxpot.duckdb.rebuild").exists()


KILLED = """
import os, sys
from jaxpot.store import Store, database
database.replace = lambda *_: os.kill(os.getpid(), 9)
Store(sys.argv[1]).rebuild()
"""


def test_a_kill_leaves_the_old_database(runs_dir, run):
    run.payload(0)
    store = Store(runs_dir)
    store.ingest()
    # create() replaces as well: the draft is what dies first.
    done = subprocess.run([sys.executable, "-c", KILLED, str(runs_dir)], check=False)
    assert done.returncode == -9
    assert store.sql("SELECT count(*) FROM metric")[1] == [(4,)]
    assert store.rebuild().points == 4
    leftovers = [path.name for path in runs_dir.iterdir() if "rebuild" in path.name]
    assert leftovers == []


def test_losing_the_log_alone_loses_nothing(runs_dir, run, tmp_path):
    """The log holds rows and positions of one transaction, so both go and come back together."""
    store = Store(runs_dir)
    store.ingest()
    run.payloads(range(5))
    code = (
        "import os, sys; from jaxpot.store import ingest; from pathlib import Path\n"
        "runs = Path(sys.argv[1]); report = ingest.IngestReport()\n"
        "with ingest.opened(runs / 'jaxpot.duckdb', wait=1) as connection:\n"
        "    ingest.burst(connection, runs, report); connection.commit(); os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(runs_dir)], check=True)
    assert database.wal(store.path).exists()
    copy = tmp_path / "copy"
    shutil.copytree(runs_dir, copy)
    database.wal(copy / "jaxpot.duckdb").unlink()
    for folder in (runs_dir, copy):
        assert Store(folder).sql("SELECT count(*) FROM metric")[1] == [(20,)]


OLDER = database.SCHEMA_VERSION - 1
UID = "20261122-101530-aaaaaa"


@pytest.fixture
def older(runs_dir):
    """Returns a store with an older file, of which this jaxpot can use nothing, and its rows."""
    complete_run(runs_dir, UID)
    store = Store(runs_dir)
    annotate.tag(store.find(UID), add=["good"])
    annotate.note(store.find(UID), "only in the journal")
    rows = everything(runs_dir)
    make_older(store.path)
    return store, rows


def make_older(path):
    """Put a file of an older schema in a database's place."""
    database.remove(path)
    with duckdb.connect(path) as connection:
        connection.execute(f"CREATE TABLE meta AS SELECT {OLDER} AS schema_version")
        connection.execute("CREATE TABLE points_of_old (a INTEGER)")


def files(runs_dir):
    """Give the names of the files beside the runs' folders."""
    return sorted(path.name for path in runs_dir.iterdir() if path.is_file())


def test_the_first_command_rebuilds_an_older_file_and_says_so(older):
    store, rows = older
    reported = []
    (row,) = Store(store.runs_dir, notify=reported.append).runs()
    assert "good" in row.tags
    assert reported == [
        f"{store.path} was an older jaxpot's (schema {OLDER}, now {database.SCHEMA_VERSION}) "
        "and was rebuilt from the journals"
    ]
    assert everything(store.runs_dir) == rows
    assert store.sql("SELECT note FROM notes ORDER BY time")[1][-1] == ("only in the journal",)
    assert files(store.runs_dir) == ["jaxpot.duckdb", "jaxpot.lock"]


def test_the_ingest_goes_on_after_it(older, runs_dir):
    store, _ = older
    run = Writer(runs_dir, "20261122-101530-bbbbbb")
    run.header()
    run.start()
    run.payload(0)
    assert store.ingest().rebuilt
    run.payload(1)
    report = store.ingest()
    assert (report.points, report.lines, report.rebuilt) == (4, 1, None)


def test_a_journal_that_cannot_be_taken_in_is_named_by_it_too(older, runs_dir):
    store, _ = older
    Writer(runs_dir, "20261122-101530-bbbbbb").header(journal_version=99)
    first, second = store.ingest().notices()
    assert "was rebuilt from the journals" in first
    assert second.startswith("run 20261122-101530-bbbbbb is not in the database: ")


def test_a_held_older_file_is_answered_for_from_a_rebuilt_copy(older):
    store, rows = older
    reported = []
    reader = Store(store.runs_dir, notify=reported.append, wait=0.1)
    with held(store.path) as pid:
        assert len(reader.runs()) == 1
        assert f"is held by process {pid}" in reported[0]
        assert reported[1] == f"answering from a copy of {store.path}"
    with pytest.raises(errors.OldSchemaError):
        database.connect(store.path, read_only=True)
    assert everything(store.runs_dir) == rows


def test_a_failure_on_the_way_leaves_the_older_file(older, monkeypatch):
    store, rows = older
    before = store.path.read_bytes()
    replace = database.replace

    def full(draft, target):
        if target == store.path:
            database.remove(draft)
            raise errors.DatabaseFullError(f"{target}: no room to write it in full")
        replace(draft, target)

    with monkeypatch.context() as patch:
        patch.setattr(database, "replace", full)
        report = store.ingest()
        assert report.problem
        assert "no room to write it in full" in report.problem
        assert report.rebuilt is None
    assert store.path.read_bytes() == before
    assert files(store.runs_dir) == ["jaxpot.duckdb", "jaxpot.lock"]
    assert everything(store.runs_dir) == rows


KILLED_AT_THE_END = """
import os, sys
from jaxpot.store import Store, database
replace = database.replace
database.replace = lambda draft, path: (
    os.kill(os.getpid(), 9) if path.name == "jaxpot.duckdb" else replace(draft, path)
)
Store(sys.argv[1]).runs()
"""


def test_a_kill_on_the_way_leaves_the_older_file(older):
    store, rows = older
    before = store.path.read_bytes()
    command = [sys.executable, "-c", KILLED_AT_THE_END, str(store.runs_dir)]
    assert subprocess.run(command, check=False).returncode == -9
    assert store.path.read_bytes() == before
    assert "jaxpot.duckdb.rebuild" in files(store.runs_dir)
    assert everything(store.runs_dir) == rows
    assert files(store.runs_dir) == ["jaxpot.duckdb", "jaxpot.lock"]


def test_the_journals_are_not_touched_by_it(older):
    store, _ = older
    journal = store.find(UID).path / JOURNAL_NAME
    before = journal.read_bytes()
    assert store.ingest().rebuilt
    assert journal.read_bytes() == before
