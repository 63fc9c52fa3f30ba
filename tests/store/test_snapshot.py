"""A copy of the database, and the DuckDB shells that open it."""

import json
import os
import subprocess
from pathlib import Path

import duckdb
import duckdb_cli
import pytest

from jaxpot.errors import UserError
from jaxpot.store import Store, database, errors
from jaxpot.store.snapshot import write_snapshot
from jaxpot.store.tables import columns_of, table_names
from tests.store.journals import complete_run
from tests.store.lab import lab

# The shell of the previous release, which a separate package brings.
SHELL = Path(duckdb_cli.__file__).with_name("duckdb")
QUESTIONS = (
    "SELECT count(*) AS n FROM metric",
    "SELECT count(*) AS n FROM best WHERE max > 0",
    "SELECT count(*) AS n FROM latest",
    "SELECT sum(points)::BIGINT AS n FROM summary",
    "SELECT count(*) AS n FROM spec_params",
    "SELECT count(*) AS n FROM standings",
    "SELECT count(*) AS n FROM league",
    "SELECT count(*) AS n FROM gates",
    "SELECT max(samples)::BIGINT AS n FROM series('latest', 'total_loss')",
    "SELECT count(*) AS n FROM run_diff('latest', (SELECT min(uid) FROM runs))",
    "SELECT count(DISTINCT param(uid, 'optimizer.learning_rate')) AS n FROM runs",
    "SELECT round(1000 * max(m))::BIGINT AS n FROM (SELECT smooth(value, iter, 3) AS m "
    "FROM series('latest', 'total_loss'))",
    "SELECT count(*) AS n FROM duckdb_columns() WHERE NOT internal AND comment IS NOT NULL",
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Returns the lab's runs, and their store, up to date."""
    runs_dir = tmp_path_factory.mktemp("snapshot") / "runs"
    runs, store = lab(runs_dir), Store(runs_dir)
    store.runs()
    return runs, store


def ask(path):
    with duckdb.connect(path, read_only=True) as connection:
        return [connection.execute(question).fetchone() for question in QUESTIONS]


def ask_shell(path):
    done = subprocess.run(
        [SHELL, "-readonly", "-json", path, ";\n".join(QUESTIONS)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [(json.loads(line)[0]["n"],) for line in done.stdout.splitlines()]


def test_shells_of_both_releases_open_it(bench, tmp_path):
    _, store = bench
    write_snapshot(store, tmp_path / "all.duckdb")
    some = write_snapshot(store, tmp_path / "some.duckdb", words=["sweep"])
    assert some.bytes == (tmp_path / "some.duckdb").stat().st_size
    expected = ask(store.path)
    for path in (store.path, tmp_path / "all.duckdb", tmp_path / "some.duckdb"):
        assert ask(path) == expected
        assert ask_shell(path) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.duckdb", "some.duckdb"]


def test_the_shell_is_of_the_previous_release():
    done = subprocess.run([SHELL, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("v1.5")
    assert duckdb.__version__.startswith("2.")


def test_only_the_rows_of_its_runs(bench, tmp_path):
    runs, store = bench
    target = tmp_path / "two.duckdb"
    chosen = [runs[0].uid, runs[4].uid]
    written = write_snapshot(store, target, words=chosen)
    assert (written.path, written.runs) == (target, 2)
    with store.reading() as whole, database.connect(target, read_only=True) as some:
        ids = whole.execute("SELECT run_id, uid FROM runs").fetchall()
        kept = sorted(run_id for run_id, uid in ids if uid in chosen)
        for table in table_names():
            if "run_id" not in columns_of(table):
                assert table == "meta"
                continue
            query = f"FROM {table} WHERE list_contains($ids, run_id)"
            expected = whole.execute(query, {"ids": kept}).fetchall()
            assert str(some.execute(f"FROM {table}").fetchall()) == str(expected), table


def test_it_is_consistent_while_runs_write(bench, tmp_path):
    """A write-ahead log that an ingest left over is part of what is copied."""
    _, store = bench
    target = tmp_path / "new.duckdb"
    with database.connect(store.path, read_only=False) as writer:
        writer.execute("PRAGMA disable_checkpoint_on_shutdown")
        writer.execute("CREATE TABLE witness AS SELECT 7 AS n")
    assert database.wal(store.path).exists()
    write_snapshot(store, target)
    with duckdb.connect(target, read_only=True) as connection:
        assert connection.execute("FROM witness").fetchall() == [(7,)]
    assert list(tmp_path.iterdir()) == [target]
    with database.connect(store.path, read_only=False) as writer:
        writer.execute("DROP TABLE witness")


def test_a_file_is_replaced_only_by_force(bench, tmp_path):
    _, store = bench
    target = tmp_path / "it's.duckdb"
    target.write_text("mine")
    with pytest.raises(UserError, match="--force replaces it"):
        write_snapshot(store, target)
    assert target.read_text() == "mine"
    write_snapshot(store, target, force=True)
    write_snapshot(store, target, words=["latest"], force=True)
    assert ask(target)[0] == (70,)


def test_a_full_disk_leaves_nothing(bench, tmp_path, monkeypatch):
    _, store = bench
    target, tools = tmp_path / "out" / "a.duckdb", tmp_path / "tools"
    target.parent.mkdir()
    tools.mkdir()
    (tools / "cp").write_text('#!/bin/sh\nhead -c 100 "$1" > "$2"; echo cp: no room >&2; exit 1\n')
    (tools / "cp").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    with pytest.raises(errors.DatabaseFullError, match="cannot be copied: cp: no room"):
        write_snapshot(store, target)
    assert list(target.parent.iterdir()) == []


def test_what_is_refused(bench, tmp_path):
    _, store = bench
    for target, text in (
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "a.duckdb", "there is no folder"),
        (store.path, "the database itself"),
    ):
        with pytest.raises(UserError, match=text):
            write_snapshot(store, target, force=True)
    with pytest.raises(UserError, match="no run is called 'nope'"):
        write_snapshot(store, tmp_path / "a.duckdb", words=["nope"])
    with pytest.raises(UserError, match="no run yet"):
        write_snapshot(Store(tmp_path / "empty"), tmp_path / "a.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_of_a_read_only_database(runs_dir, tmp_path):
    """The copy is not read-only: what is committed in its log is written into its file."""
    complete_run(runs_dir, "20261122-101530-aaaaaa")
    store = Store(runs_dir)
    store.ingest()
    store.path.chmod(0o444)
    runs_dir.chmod(0o555)
    try:
        for words in ((), ("latest",)):
            written = write_snapshot(store, tmp_path / "s.duckdb", words=words, force=True)
            assert written.runs == 1
            assert written.path.stat().st_mode & 0o200
    finally:
        runs_dir.chmod(0o755)
