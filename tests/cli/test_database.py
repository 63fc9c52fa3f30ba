"""`jaxpot snapshot` and `jaxpot rebuild`."""

import json

import pytest

from jaxpot.cli.database import rebuild_command, snapshot_command
from jaxpot.errors import UserError
from jaxpot.store import Store
from jaxpot.store.open import open_store
from tests.cli.runs import call, two_runs


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    """Return a runs directory of two runs."""
    path = tmp_path_factory.mktemp("snapshot") / "runs"
    two_runs(path)
    return path


def test_all_runs_and_some(runs_dir, tmp_path):
    target = tmp_path / "all.duckdb"
    done = call(snapshot_command, runs_dir, str(target))
    assert done.stdout == ""
    assert done.stderr.endswith(f"{target}: 2 runs, {target.stat().st_size:,} bytes\n")
    assert len(open_store(target).runs().rows()) == 2
    done = call(snapshot_command, runs_dir, str(target), "--runs", "ttt", "--force", "--json")
    written = json.loads(done.stdout)
    assert written == {"path": str(target), "runs": 1, "bytes": target.stat().st_size}
    assert [row["name"] for row in open_store(target).runs().dicts()] == ["ttt"]


def test_a_file_that_is_there(runs_dir, tmp_path):
    target = tmp_path / "mine.txt"
    target.write_text("mine")
    done = call(snapshot_command, runs_dir, str(target))
    assert isinstance(done.exception, UserError)
    assert "--force" in str(done.exception)
    assert target.read_text() == "mine"


def test_it_says_what_it_made(tmp_path):
    two_runs(tmp_path)
    done = call(rebuild_command, tmp_path)
    assert (done.exit_code, done.stdout) == (0, "")
    said = done.stderr.splitlines()
    assert "skipped the damaged line at byte" in said[0]
    assert said[1].startswith(f"{tmp_path / 'jaxpot.duckdb'}: 2 runs, 116 points, in ")
    assert len(Store(tmp_path).runs()) == 2


def test_a_damaged_database(tmp_path):
    two_runs(tmp_path)
    (tmp_path / "jaxpot.duckdb").write_bytes(b"garbage")
    assert call(rebuild_command, tmp_path).exit_code == 0
    assert len(Store(tmp_path).runs()) == 2


def test_without_runs(tmp_path):
    done = call(rebuild_command, tmp_path / "none")
    assert isinstance(done.exception, UserError)
    assert not (tmp_path / "none").exists()
