"""`rebuild` gives the same rows, and takes nothing away on the way."""

import shutil
import subprocess
import sys

import pytest

from jaxpot.store import DatabaseHeldError, Store, StoreError, database
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
