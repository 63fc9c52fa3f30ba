"""`jaxpot tag` and `jaxpot note`."""

import json

import pytest

from jaxpot.cli.annotate import note_command, tag_command
from jaxpot.errors import UserError
from jaxpot.store import Store
from tests.cli.runs import call
from tests.store.journals import Writer


def test_adding_removing_and_listing(runs_dir, snapshot):
    done = [
        call(tag_command, runs_dir, *arguments)
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


def test_tags_as_json(runs_dir, snapshot):
    assert json.loads(call(tag_command, runs_dir, "ttt", "x", "--json").stdout) == snapshot(
        name="run"
    )
    assert json.loads(call(tag_command, runs_dir, "--json").stdout) == snapshot(name="all")


def test_every_run_of_a_name(runs_dir):
    Writer(runs_dir, "20261122-121530-cccccc").header(tags=[])
    call(tag_command, runs_dir, "ttt", "swept", "--every")
    tagged = [row.uid[-6:] for row in Store(runs_dir).runs() if "swept" in row.tags]
    assert sorted(tagged) == ["aaaaaa", "cccccc"]


def test_a_word_that_is_no_tag_changes_nothing(runs_dir):
    before = {path: path.read_bytes() for path in runs_dir.rglob("*.jsonl")}
    done = call(tag_command, runs_dir, "latest", "fine", "not fine")
    assert isinstance(done.exception, UserError)
    assert {path: path.read_bytes() for path in runs_dir.rglob("*.jsonl")} == before


def test_no_tags(tmp_path):
    done = call(tag_command, tmp_path / "none")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"no tags in {tmp_path / 'none'}\n"
    assert call(tag_command, tmp_path / "none", "--json").stdout == "[]\n"


def test_a_tag_that_could_never_be_named_is_refused(runs_dir):
    done = call(tag_command, runs_dir, "ttt", "latest")
    assert isinstance(done.exception, UserError)
    assert "'latest' always means the newest run" in str(done.exception)
    assert call(tag_command, runs_dir, "ttt", "--remove", "latest").exit_code == 0


def texts(runs_dir, *arguments):
    return [
        row["note"] for row in json.loads(call(note_command, runs_dir, *arguments, "--json").stdout)
    ]


def test_adding_and_listing(runs_dir):
    done = call(note_command, runs_dir, "latest", "entropy collapses")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "added to 20261122-111530-bbbbbb (other)\n"
    assert texts(runs_dir, "other") == ["entropy collapses"]
    assert texts(runs_dir) == ["a good one", "entropy collapses"]


def test_notes(runs_dir, snapshot):
    call(note_command, runs_dir, "ttt", "-", stdin="two\nlines \x1b[31mred\n")
    shown = call(note_command, runs_dir, "ttt").stdout
    assert shown.splitlines()[:2] == snapshot
    assert shown.splitlines()[3:] == ["  two", "  lines \ufffd[31mred"]


def test_json_of_an_added_one(runs_dir):
    assert json.loads(call(note_command, runs_dir, "ttt", "x", "--json").stdout) == [
        {"uid": "20261122-101530-aaaaaa", "name": "ttt", "note": "x"}
    ]


def test_an_editor(runs_dir, monkeypatch):
    monkeypatch.setattr("click.edit", lambda *_, **__: "from the editor\n")
    call(note_command, runs_dir, "ttt", "--edit")
    assert texts(runs_dir, "ttt")[-1] == "from the editor"
    monkeypatch.setattr("click.edit", lambda *_, **__: None)
    assert "no note added" in call(note_command, runs_dir, "ttt", "-e").stderr


@pytest.mark.parametrize("arguments", [("ttt", ""), ("-e",), ("nope", "x")])
def test_what_is_refused(runs_dir, arguments):
    assert isinstance(call(note_command, runs_dir, *arguments).exception, UserError)


def test_an_editor_excludes_a_text(runs_dir):
    done = call(note_command, runs_dir, "ttt", "x", "-e")
    assert (done.exit_code, "--edit and TEXT exclude each other" in done.stderr) == (2, True)


def test_no_notes(runs_dir, tmp_path):
    assert call(note_command, runs_dir, "other").stderr.endswith(
        "no notes in 20261122-111530-bbbbbb\n"
    )
    assert call(note_command, tmp_path / "none").stderr == f"no notes in {tmp_path / 'none'}\n"
