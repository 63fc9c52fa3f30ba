"""`jaxpot tag`."""

import json

import pytest

from jaxpot.cli.annotate import tag_command as command
from jaxpot.errors import UserError
from jaxpot.store import Store
from tests.cli.runs import call, two_runs
from tests.store.journals import Writer


@pytest.fixture
def runs_dir(tmp_path):
    """Returns a runs directory of two runs."""
    two_runs(tmp_path / "runs")
    return tmp_path / "runs"


def test_adding_removing_and_listing(runs_dir, snapshot):
    done = [
        call(command, runs_dir, *arguments)
        for arguments in (
            ("latest", "baseline", "v1.2"),
            ("latest", "baseline"),
            ("baseline", "--remove", "v1.2", "-r", "nope"),
            ("ttt",),
            (),
        )
    ]
    assert [(one.exit_code, one.stdout, one.stderr) for one in done] == snapshot
    assert Store(runs_dir).runs()[0].tags == ("baseline",)


def test_json(runs_dir, snapshot):
    assert json.loads(call(command, runs_dir, "ttt", "x", "--json").stdout) == snapshot(name="run")
    assert json.loads(call(command, runs_dir, "--json").stdout) == snapshot(name="all")


def test_every_run_of_a_name(runs_dir):
    Writer(runs_dir, "20261122-121530-cccccc").header(tags=[])
    call(command, runs_dir, "ttt", "swept", "--every")
    tagged = [row.uid[-6:] for row in Store(runs_dir).runs() if "swept" in row.tags]
    assert sorted(tagged) == ["aaaaaa", "cccccc"]


def test_a_word_that_is_no_tag_changes_nothing(runs_dir):
    before = {path: path.read_bytes() for path in runs_dir.rglob("*.jsonl")}
    done = call(command, runs_dir, "latest", "fine", "not fine")
    assert isinstance(done.exception, UserError)
    assert {path: path.read_bytes() for path in runs_dir.rglob("*.jsonl")} == before


def test_no_runs(tmp_path):
    done = call(command, tmp_path / "none")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"no tags in {tmp_path / 'none'}\n"
    assert call(command, tmp_path / "none", "--json").stdout == "[]\n"


def test_a_tag_that_could_never_be_named_is_refused(runs_dir):
    done = call(command, runs_dir, "ttt", "latest")
    assert isinstance(done.exception, UserError)
    assert "'latest' always means the newest run" in str(done.exception)
    assert call(command, runs_dir, "ttt", "--remove", "latest").exit_code == 0
