"""Databases of older versions: brought to this one's schema, with the same rows."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from jaxpot.store import Store, database, errors, migrate
from jaxpot.store.migrate import MigrationError
from tests.store.journals import Writer
from tests.store.test_database import held

OLD = Path(__file__).parent / "old"
VERSIONS = (1, 2, 3)
RESUMED = "20261122-101530-bbbbbb"


@pytest.fixture
def unpack(tmp_path):
    """Returns a function that unpacks an old version's runs directory, with what it held."""

    def unpacked(version):
        with tarfile.open(OLD / f"schema{version}.tar.xz") as archive:
            archive.extractall(tmp_path, filter="data")
        return tmp_path / "runs", json.loads((tmp_path / "expected.json").read_text())

    return unpacked


def differences(connection, expected):
    """Give the tables and views whose rows are not as expected."""
    found = {}
    for name, was in expected.items():
        columns = ", ".join(f'"{column}"' for column in was["columns"])
        query = f"SELECT {columns} FROM {name} ORDER BY ALL"  # noqa: S608
        rows = connection.execute(query).fetchall()
        if [[str(value) for value in row] for row in rows] != was["rows"]:
            found[name] = rows
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_a_command_brings_it_to_this_schema(unpack, version):
    runs_dir, expected = unpack(version)
    told = []
    store = Store(runs_dir, notify=told.append)
    with store.reading() as connection:
        assert differences(connection, expected) == {}
    kept = runs_dir / f"jaxpot.schema{version}.duckdb"
    assert told == [
        f"{store.path} was brought from schema {version} to {database.SCHEMA_VERSION}; "
        f"the old one is kept as {kept}"
    ]
    with pytest.raises(errors.OldSchemaError):
        database.connect(kept, read_only=True)
    left = sorted(path.name for path in runs_dir.iterdir() if path.is_file())
    assert left == ["jaxpot.duckdb", "jaxpot.lock", kept.name]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_ingest_goes_on_where_it_was(unpack, version):
    runs_dir, _ = unpack(version)
    store = Store(runs_dir)
    run = Writer(runs_dir, RESUMED)
    run.attempt = 2
    run.payload(8)
    report = store.ingest()
    assert (report.points, report.lines) == (4, 1)
    assert store.ingest().lines == 0


def test_a_migrated_database_is_as_a_rebuilt_one(unpack):
    runs_dir, _ = unpack(VERSIONS[-1])
    store = Store(runs_dir)
    tables = ("runs", "points", "keys", "events", "tags", "iters", "latest", "best")

    def rows():
        return {name: store.sql(f"FROM {name} ORDER BY ALL")[1] for name in tables}

    migrated = rows()
    store.rebuild()
    assert repr(rows()) == repr(migrated)


def test_it_needs_no_journals(unpack):
    runs_dir, expected = unpack(1)
    path = (runs_dir / "jaxpot.duckdb").rename(runs_dir.parent / "alone.duckdb")
    migrate.migrate(path, 1, wait=0.0)
    with database.connect(path, read_only=True) as connection:
        assert differences(connection, expected) == {}
        unsorted = "SELECT sum(unsorted) FROM journal_pos"
        assert connection.execute(unsorted).fetchone() == (len(expected["metrics"]["rows"]),)


def test_without_room_the_old_one_stays(unpack, monkeypatch):
    runs_dir, _ = unpack(1)
    path = runs_dir / "jaxpot.duckdb"
    before = path.read_bytes()
    monkeypatch.setattr(migrate.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(MigrationError) as caught:
        migrate.migrate(path, 1, wait=0.0)
    said = str(caught.value)
    assert "has schema 1 and could not be brought to" in said
    assert "1,000 are free; it is as it was" in said
    assert path.read_bytes() == before
    assert sorted(file.name for file in runs_dir.iterdir() if file.is_file()) == [path.name]


def test_a_failure_on_the_way_leaves_the_old_one(unpack, monkeypatch):
    runs_dir, _ = unpack(2)
    path = runs_dir / "jaxpot.duckdb"
    before = path.read_bytes()

    def full(draft, target):
        raise errors.DatabaseFullError(f"{target}: no room to write it in full")

    monkeypatch.setattr(database, "replace", full)
    with pytest.raises(MigrationError, match="no room to write it in full; it is as it was"):
        migrate.migrate(path, 2, wait=0.0)
    assert path.read_bytes() == before


def test_a_held_one_is_read_from_a_copy(unpack):
    runs_dir, expected = unpack(2)
    told = []
    store = Store(runs_dir, notify=told.append, wait=0.1)
    with held(store.path) as pid, store.reading() as connection:
        assert differences(connection, expected) == {}
        assert f"is held by process {pid}" in told[0]
        assert told[1] == f"answering from a copy of {store.path}"
    with pytest.raises(errors.OldSchemaError):
        database.connect(store.path, read_only=True)


def test_the_file_keeps_another_name_without_links(unpack, monkeypatch):
    runs_dir, _ = unpack(3)
    path = runs_dir / "jaxpot.duckdb"
    before = path.read_bytes()

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(migrate.os, "link", refuse)
    migrate.migrate(path, 3, wait=0.0)
    assert (runs_dir / "jaxpot.schema3.duckdb").read_bytes() == before


KILLED = """
import os, sys
from jaxpot.store import Store, database
database.replace = lambda *_: os.kill(os.getpid(), 9)
Store(sys.argv[1]).runs()
"""


def test_a_kill_leaves_the_old_one(unpack):
    runs_dir, expected = unpack(1)
    path = runs_dir / "jaxpot.duckdb"
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", KILLED, str(runs_dir)], check=False)
    assert done.returncode == -9
    assert path.read_bytes() == before
    with Store(runs_dir).reading() as connection:
        assert differences(connection, expected) == {}
    kept = runs_dir / "jaxpot.schema1.duckdb"
    assert kept.read_bytes() == before
    left = sorted(file.name for file in runs_dir.iterdir() if file.is_file())
    assert left == ["jaxpot.duckdb", "jaxpot.lock", kept.name]
