"""The database held by somebody, damaged, missing, from another version."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from jaxpot.cli.main import invoke
from jaxpot.store import (
    DatabaseDamagedError,
    DatabaseHeldError,
    SchemaMismatchError,
    Store,
    StoreError,
    copying,
    create_run,
    database,
    errors,
)
from jaxpot.store.locking import FileLock
from tests.store.journals import complete_run

HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reading")
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def held(path, how="writing"):
    """Hold a database from another process, as somebody's shell does."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield holder.pid


@pytest.fixture
def reported():
    """Returns the lines that the store tells."""
    return []


@pytest.fixture
def store(runs_dir, run, reported):
    """Returns a store whose database has 4 points, while the journal has 8."""
    run.payload(0)
    store = Store(runs_dir, notify=reported.append, wait=0.1)
    store.ingest()
    run.payload(1)
    return store


COUNT = "SELECT count(*) FROM metric"


@pytest.mark.parametrize("how", ["writing", "reading"])
def test_a_held_database_still_answers_and_names_the_holder(store, reported, how):
    with held(store.path, how) as pid:
        report = store.ingest(wait=0.1)
        assert report.holder == pid
        assert store.sql(COUNT)[1] == [(4,)]
        assert f"{store.path} is held by process {pid} (" in reported[0]
        assert reported[0].endswith("what was recorded last is not in the database yet")
        assert reported[1:] == (
            [f"answering from a copy of {store.path}"] if how == "writing" else []
        )
        (row,) = store.runs()
        assert row.lag_bytes > 0
        assert row.iterations == 1
    assert store.sql(COUNT)[1] == [(8,)]


def test_a_run_that_is_in_no_database_yet_is_listed(store, runs_dir):
    with held(store.path):
        other = complete_run(runs_dir, "20261122-101530-bbbbbb", name="other", start=2e9)
        row = store.runs()[0]
    assert (row.uid, row.name, row.seed) == (other.uid, "other", 42)
    assert row.lag_bytes == other.path.stat().st_size


def test_a_holder_that_lets_go_in_time_is_waited_for(store):
    with held(store.path):
        before = store.ingest(wait=0.05)
    assert before.problem
    assert store.ingest(wait=0.05).problem is None


def test_the_holder_can_be_this_process(store, reported):
    """Then closing a copied file would drop the holder's lock: it must not."""
    with duckdb.connect(store.path) as connection:
        assert store.sql(COUNT)[1] == [(4,)]
        assert f"held by process {os.getpid()} (this one)" in reported[0]
        with pytest.raises(subprocess.CalledProcessError):
            command = [sys.executable, "-c", HOLD, str(store.path), "writing"]
            subprocess.run(command, check=True, input=b"", capture_output=True)
        assert connection.execute(COUNT).fetchone() == (4,)


def test_a_copy_has_what_only_the_log_has(store):
    insert = "INSERT INTO notes VALUES (1, now()::TIMESTAMP, 'in the log')"
    hold = HOLD.replace("print(", f'connection.execute("{insert}")\nprint(')
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(store.path), "writing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert database.wal(store.path).exists()
        assert store.sql("SELECT note FROM notes")[1] == [("in the log",)]


def test_another_jaxpot_that_keeps_the_lock_is_reported(store, runs_dir):
    lock = FileLock(runs_dir / database.LOCK_NAME)
    with lock:
        assert lock.acquire(shared=True)
        report = store.ingest(wait=0.05)
        assert report.problem is not None
        assert "jaxpot.lock is kept by another process" in report.problem
        assert store.sql(COUNT)[1] == [(4,)]


def test_a_lock_file_that_cannot_be_opened_is_reported(runs_dir, run):
    run.payload(0)
    (runs_dir / database.LOCK_NAME).mkdir()
    report = Store(runs_dir).ingest()
    assert report.problem is not None
    assert f"{runs_dir / database.LOCK_NAME}: Is a directory" in report.problem


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_a_damaged_database_names_the_way_out(store, content):
    database.remove(store.path)
    store.path.write_bytes(content)
    for question in (store.ingest, store.runs, lambda: store.sql("SELECT 1")):
        with pytest.raises(DatabaseDamagedError) as caught:
            question()
        assert str(caught.value).startswith(f"{store.path} is damaged (")
        assert str(caught.value).endswith("`jaxpot rebuild` makes it again from the journals")
    assert store.rebuild().points == 8
    assert store.sql(COUNT)[1] == [(8,)]


def test_a_database_of_damaged_blocks_names_the_way_out(store):
    size = store.path.stat().st_size
    with store.path.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\x5a" * (size // 2))
    with pytest.raises(StoreError, match="rebuild"):
        store.sql("SELECT sum(value), max(key) FROM metric")


def test_a_log_of_another_database_names_the_way_out(store, tmp_path):
    other = tmp_path / "other.duckdb"
    make = "c = duckdb.connect(sys.argv[1]); c.execute('CREATE TABLE t(a INT); CHECKPOINT'); "
    make += "c.execute('INSERT INTO t VALUES (1)'); os._exit(0)"
    command = [sys.executable, "-c", f"import os, sys, duckdb; {make}", str(other)]
    subprocess.run(command, check=True)
    database.wal(store.path).write_bytes(database.wal(other).read_bytes())
    with pytest.raises(StoreError, match="rebuild"):
        store.runs()
    assert store.rebuild().points == 8


def test_another_program_s_database_is_told_apart(store):
    database.remove(store.path)
    with duckdb.connect(store.path) as connection:
        connection.execute("CREATE TABLE t(a INT)")
    with pytest.raises(DatabaseDamagedError, match="meta does not exist"):
        store.runs()


@pytest.mark.parametrize("version", [0, 99])
def test_another_schema_is_told(store, version, snapshot):
    with duckdb.connect(store.path) as connection:
        connection.execute("UPDATE meta SET schema_version = ?", [version])
    with pytest.raises(SchemaMismatchError) as caught:
        store.runs()
    assert str(caught.value).replace(str(store.path), "runs/jaxpot.duckdb") == snapshot
    store.rebuild()
    assert store.sql(COUNT)[1] == [(8,)]


def test_a_removed_database_comes_back(store):
    database.remove(store.path)
    assert store.sql(COUNT)[1] == [(8,)]


def test_a_missing_database_that_cannot_be_made_is_told(store, runs_dir):
    database.remove(store.path)
    (runs_dir / database.LOCK_NAME).unlink()
    (runs_dir / database.LOCK_NAME).mkdir()
    with pytest.raises(StoreError, match=r"there is no .*`jaxpot rebuild` makes it"):
        store.runs()


def test_a_copy_that_never_holds_still_gives_up(store, monkeypatch):
    prints = iter(range(100))
    monkeypatch.setattr(copying, "fingerprint", lambda path: next(prints))
    monkeypatch.setattr(copying, "_PAUSE_SECONDS", 0.0)
    with held(store.path) as pid, pytest.raises(DatabaseHeldError, match=f"process {pid}"):
        store.sql(COUNT)


def test_threads_read_and_ingest_at_once(store, run):
    failures = []

    def work(number):
        try:
            for _ in range(4):
                if number % 2:
                    store.ingest(wait=10)
                else:
                    store.sql(COUNT)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    run.payload(2)
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.sql(COUNT)[1] == [(12,)]


def test_released_shells_can_open_the_file(store):
    with duckdb.connect(store.path, read_only=True) as connection:
        (tags,) = connection.execute(
            "SELECT tags FROM duckdb_databases() WHERE database_name = 'jaxpot'"
        ).fetchone() or (None,)
    assert "v1.5" in str(tags)


@pytest.mark.parametrize(
    "name",
    [
        *("a*b", "a[b]", "a#b", "a%20b", "sp ace", "q'uo\"te", "new\nline", "x" * 200, "dot."),
        *("~", "$HOME", "a:b", "file:x", "md:x", ":memory:", "{x}", "a;b"),
    ],
)
def test_odd_names_of_a_runs_directory(tmp_path, monkeypatch, capsys, name):
    """Also where it is named relative to where one is."""
    monkeypatch.chdir(tmp_path)
    complete_run(Path(name), "20261122-101530-aaaaaa")
    commands = (["ls"], ["show", "latest"], ["sql", "FROM metric"], ["rebuild"])
    snapshots = (["snapshot", "s.duckdb"], ["snapshot", "t.duckdb", "--runs", "latest"])
    for command in (*commands, *snapshots):
        assert invoke(["--runs-dir", f"./{name}", *command]) == 0, capsys.readouterr().err
        Path("s.duckdb").unlink(missing_ok=True)
    assert invoke([f"--runs-dir={name}", "ls"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {name, "t.duckdb"}


@pytest.mark.parametrize("name", ["a?b", "a\\b", "\udcff"])
def test_names_that_no_database_can_have_are_refused_before_anything_is_made(
    tmp_path, monkeypatch, capsys, name
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log").mkdir()
    with (
        pytest.raises(errors.StoreError, match="no database's path"),
        create_run(Path(name), {"journal_version": 1}),
    ):
        pass
    spec = Path(__file__).parents[2] / "specs" / "ttt.toml"
    for command in (["run", str(spec)], ["import", "log"]):
        assert invoke([f"--runs-dir={name}", *command]) == 2
        assert "which no database's path may have; rename" in capsys.readouterr().err
    assert not Path(name).exists()
    complete_run(Path(name), "20261122-101530-aaaaaa")
    for command in (
        ["ls"],
        ["show", "latest"],
        ["sql", "FROM runs"],
        ["rebuild"],
        ["snapshot", "s"],
    ):
        assert invoke([f"--runs-dir={name}", *command]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "which no database's path may have; rename" in line


@pytest.mark.parametrize("read_only", [True, False])
def test_a_slow_query_draws_no_progress_bar(store, read_only):
    """DuckDB draws it on stdout, into the answer."""
    with database.connect(store.path, read_only=read_only) as connection:
        setting = connection.execute("SELECT current_setting('enable_progress_bar')")
        assert setting.fetchone() == (False,)


def test_a_reader_cannot_change_settings(store):
    with (
        database.connect(store.path, read_only=True) as connection,
        pytest.raises(duckdb.Error, match="locked"),
    ):
        connection.execute("SET threads = 1")
