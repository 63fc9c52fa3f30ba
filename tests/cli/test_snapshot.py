"""`jaxpot snapshot`."""

import json

import pytest

from jaxpot.cli.database import snapshot_command as command
from jaxpot.errors import UserError
from jaxpot.store.open import open_store
from tests.cli.runs import call, two_runs


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    """Returns a runs directory of two runs."""
    path = tmp_path_factory.mktemp("snapshot") / "runs"
    two_runs(path)
    return path


def test_all_runs_and_some(runs_dir, tmp_path):
    target = tmp_path / "all.duckdb"
    done = call(command, runs_dir, str(target))
    assert done.stdout == ""
    assert done.stderr.endswith(f"{target}: 2 runs, {target.stat().st_size:,} bytes\n")
    assert len(open_store(target).runs().rows()) == 2
    done = call(command, runs_dir, str(target), "--runs", "ttt", "--force", "--json")
    written = json.loads(done.stdout)
    assert written == {"path": str(target), "runs": 1, "bytes": target.stat().st_size}
    assert [row["name"] for row in open_store(target).runs().dicts()] == ["ttt"]


def test_a_file_that_is_there(runs_dir, tmp_path):
    target = tmp_path / "mine.txt"
    target.write_text("mine")
    done = call(command, runs_dir, str(target))
    assert isinstance(done.exception, UserError)
    assert "--force" in str(done.exception)
    assert target.read_text() == "mine"
