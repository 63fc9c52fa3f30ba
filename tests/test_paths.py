"""Paths as users write them, wherever they may write one; files that appear whole."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from jaxpot.cli import main
from jaxpot.cli.options import UserPath
from jaxpot.errors import UserError
from jaxpot.paths import expanded, replacing, write_file, write_output
from jaxpot.spec import load
from jaxpot.trackers import jsonl, tensorboard
from tests.cli.test_descriptors import SPEC
from tests.store.journals import complete_run

UID = "20261122-101530-aaaaaa"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with a spec and a run; the working directory is another, and stays empty."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (home / "specs").mkdir(parents=True)
    (home / "specs" / "base.toml").write_text(SPEC)
    (home / "own.toml").write_text('extends = "~/specs/base.toml"\nname = "own"')
    complete_run(home / "runs", UID)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("JAXPOT_RUNS_DIR", raising=False)
    monkeypatch.chdir(elsewhere)
    yield home
    assert list(elsewhere.iterdir()) == []


def test_only_a_leading_tilde_is_the_home(home):
    assert expanded("~/a") == home / "a"
    assert str(expanded("a/~/b")) == "a/~/b"
    assert str(expanded("./~")) == "~"


def test_a_home_that_nobody_has_is_refused():
    with pytest.raises(UserError, match=r"^~nobody_at_all/x: .*unknown.*full, or \./~nob"):
        expanded("~nobody_at_all/x")


@pytest.mark.parametrize("options", [["--runs-dir=~/runs", "ls"], ["ls", "--runs-dir", "~/runs"]])
def test_a_runs_directory(home, capsys, options):
    assert main.invoke(options) == 0
    assert UID in capsys.readouterr().out


def test_a_runs_directory_of_the_environment(home, capsys, monkeypatch):
    monkeypatch.setenv("JAXPOT_RUNS_DIR", "~/runs")
    assert main.invoke(["ls"]) == 0
    assert UID in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (["check", "~/own.toml"], None),
        (["diff", "~/own.toml", "~/specs/base.toml"], None),
        (["schema", "-o", "~/schema.json"], "schema.json"),
        (["sql", "select 1", "--parquet", "~/one.parquet"], "one.parquet"),
        (["report", UID, "-o", "~/report.html"], "report.html"),
        (["plot", UID, "-k", "total_loss", "-o", "~/plot.svg"], "plot.svg"),
        (["export", UID, "-o", "~/out.jsonl"], "out.jsonl"),
        (["snapshot", "~/copy.duckdb"], "copy.duckdb"),
    ],
)
def test_what_a_command_reads_and_writes(home, capsys, arguments, made):
    code = main.invoke(["--runs-dir=~/runs", *arguments])
    assert code in (0, 3), capsys.readouterr().err
    assert made is None or (home / made).exists()


def test_every_path_of_a_command_is_expanded():
    parameters = [
        parameter
        for name in main.COMMANDS
        for parameter in main.cli.get_command(click.Context(main.cli), name).params
    ]
    paths = [
        each.type for each in (*parameters, *main.cli.params) if isinstance(each.type, click.Path)
    ]
    assert len(paths) > 30
    assert all(isinstance(each, UserPath) for each in paths)


def test_files_that_a_spec_extends(home):
    assert load("~/own.toml").files == (
        str(home / "own.toml"),
        str(home / "specs" / "base.toml"),
    )


@pytest.mark.parametrize("module", [jsonl, tensorboard])
def test_the_folder_of_a_sink(home, module):
    run = SimpleNamespace(uid="a-run", folder=home)
    sink = module.build(SimpleNamespace(folder="~/logs"), run=run)
    place = sink._path if module is jsonl else sink._folder
    assert place in (home / "logs" / "a-run.jsonl", home / "logs" / "a-run")


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_the_old_one_or_the_new_one(tmp_path, monkeypatch, durable):
    path = tmp_path / "m"
    write_file(path, b"one", durable=durable)
    write_file(path, b"two", durable=durable)

    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync" if durable else "rename", full)
    with pytest.raises(OSError, match="full"):
        write_file(path, b"three", durable=durable)
    assert os.listdir(tmp_path) == ["m"]
    assert path.read_bytes() == b"two"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_a_block_that_ends_early_leaves_nothing(tmp_path, kind):
    path = tmp_path / "m"
    path.write_bytes(b"one")
    with pytest.raises(kind), replacing(path) as draft:
        draft.write_bytes(b"half")
        raise kind
    assert os.listdir(tmp_path) == ["m"]
    assert path.read_bytes() == b"one"


def test_only_what_must_last_is_flushed_file_first(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda fd: flushed.append(os.readlink(f"/proc/self/fd/{fd}")))
    write_file(tmp_path / "m", b"")
    assert flushed == []
    write_file(tmp_path / "m", b"", durable=True)
    assert flushed == [str(tmp_path / ".tmp-m-00000000"), str(tmp_path)]


def test_a_killed_writer_s_draft_is_written_over(tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("kept")
    (tmp_path / ".tmp-m-00000000").symlink_to(kept)
    write_file(tmp_path / "m", b"one", durable=True)
    assert kept.read_text() == "kept"
    assert sorted(os.listdir(tmp_path)) == ["kept", "m"]


def test_an_output_that_cannot_be_written_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "m"):
        with pytest.raises(UserError, match=f"^{path}: cannot be written: "):
            write_output(path, b"")
    assert os.listdir(tmp_path) == []


def test_an_output_goes_to_a_link_s_file_and_to_a_pipe(tmp_path):
    (tmp_path / "link").symlink_to("file")
    write_output(tmp_path / "link", b"one")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"one"
    read, write = os.pipe()
    write_output(Path(f"/dev/fd/{write}"), b"two")
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == b"two"
