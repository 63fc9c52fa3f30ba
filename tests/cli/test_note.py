"""`jaxpot note`."""

import json

import pytest

from jaxpot.cli.annotate import note_command as command
from jaxpot.errors import UserError
from tests.cli.runs import call, two_runs


@pytest.fixture
def runs_dir(tmp_path):
    """Returns a runs directory of two runs; the older has a note."""
    two_runs(tmp_path / "runs")
    return tmp_path / "runs"


def texts(runs_dir, *arguments):
    return [row["note"] for row in json.loads(call(command, runs_dir, *arguments, "--json").stdout)]


def test_adding_and_listing(runs_dir):
    done = call(command, runs_dir, "latest", "entropy collapses")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "added to 20261122-111530-bbbbbb (other)\n"
    assert texts(runs_dir, "other") == ["entropy collapses"]
    assert texts(runs_dir) == ["a good one", "entropy collapses"]


def test_text(runs_dir, snapshot):
    call(command, runs_dir, "ttt", "-", stdin="two\nlines \x1b[31mred\n")
    shown = call(command, runs_dir, "ttt").stdout
    assert shown.splitlines()[:2] == snapshot
    assert shown.splitlines()[3:] == ["  two", "  lines \ufffd[31mred"]


def test_json_of_an_added_one(runs_dir):
    assert json.loads(call(command, runs_dir, "ttt", "x", "--json").stdout) == [
        {"uid": "20261122-101530-aaaaaa", "name": "ttt", "note": "x"}
    ]


def test_an_editor(runs_dir, monkeypatch):
    monkeypatch.setattr("click.edit", lambda *_, **__: "from the editor\n")
    call(command, runs_dir, "ttt", "--edit")
    assert texts(runs_dir, "ttt")[-1] == "from the editor"
    monkeypatch.setattr("click.edit", lambda *_, **__: None)
    assert "no note added" in call(command, runs_dir, "ttt", "-e").stderr


@pytest.mark.parametrize("arguments", [("ttt", ""), ("-e",), ("nope", "x")])
def test_what_is_refused(runs_dir, arguments):
    assert isinstance(call(command, runs_dir, *arguments).exception, UserError)


def test_an_editor_excludes_a_text(runs_dir):
    done = call(command, runs_dir, "ttt", "x", "-e")
    assert (done.exit_code, "--edit and TEXT exclude each other" in done.stderr) == (2, True)


def test_none(runs_dir, tmp_path):
    assert call(command, runs_dir, "other").stderr.endswith("no notes in 20261122-111530-bbbbbb\n")
    assert call(command, tmp_path / "none").stderr == f"no notes in {tmp_path / 'none'}\n"
