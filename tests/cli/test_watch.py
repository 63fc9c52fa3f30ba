import json

import pytest

from jaxpot.cli.run import watch_command as command
from tests.cli.runs import call, two_runs

COMPLETE, KILLED = "20261122-101530-aaaaaa", "20261122-111530-bbbbbb"


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    two_runs(folder)
    return folder


def test_the_end_of_a_run_that_has_ended(runs_dir):
    result = call(command, runs_dir, COMPLETE)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"ttt {COMPLETE}: completed after 20 iterations")
    assert "20/20" in result.stderr


def test_json_ends_with_the_run_s_record(runs_dir):
    result = call(command, runs_dir, COMPLETE, "--json", "--quiet")
    record = json.loads(result.stdout)
    assert (record["run"], record["status"]) == (COMPLETE, "completed")
    assert result.stderr == ""


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--exit-code"], 130)])
def test_the_exit_status_is_the_run_s_where_that_is_asked_for(runs_dir, arguments, code):
    assert call(command, runs_dir, "latest", *arguments).exit_code == code


def test_ctrl_c_leaves_the_run_alone(runs_dir, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxpot.views.watching.watch", interrupt)
    before = (runs_dir / KILLED / "journal.jsonl").read_bytes()
    result = call(command, runs_dir, KILLED)
    assert result.exit_code != 0
    assert f"run {KILLED} goes on by itself" in result.stderr
    assert (runs_dir / KILLED / "journal.jsonl").read_bytes() == before
