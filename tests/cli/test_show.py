"""`jaxpot show`."""

import json

import pytest

from jaxpot.cli.show import show_command as command
from jaxpot.errors import UserError
from tests.cli.runs import call
from tests.cli.test_ls import SHAPE


@pytest.mark.parametrize("run", ["ttt", "latest"])
def test_text(runs_dir, run, snapshot):
    call(command, runs_dir, "latest")
    done = call(command, runs_dir, run)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == snapshot


def test_json(runs_dir, snapshot):
    found = json.loads(call(command, runs_dir, "other", "--json").stdout)
    assert list(found) == [
        *SHAPE,
        *("spec", "metrics", "best", "checkpoints", "league", "time", "provenance"),
    ]
    assert found == snapshot
    assert found["metrics"]["total_loss"] == "NaN"
    assert found["metrics"]["iteration/sps"] == "Infinity"


def test_an_unknown_run(runs_dir):
    done = call(command, runs_dir, "nope")
    assert isinstance(done.exception, UserError)
    assert "no run in" in str(done.exception)


def test_no_runs_directory(tmp_path):
    done = call(command, tmp_path / "none", "latest")
    assert isinstance(done.exception, UserError)
    assert not (tmp_path / "none").exists()
