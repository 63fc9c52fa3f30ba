"""Paths as users write them, wherever they may write one."""

from types import SimpleNamespace

import click
import pytest

from jaxpot.cli import main
from jaxpot.cli.options import UserPath
from jaxpot.errors import UserError
from jaxpot.paths import expanded
from jaxpot.sinks import jsonl, tensorboard
from jaxpot.spec import load
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
    with pytest.raises(UserError, match=r"^~nobody_at_all/x: no home directory .*full, or \./~nob"):
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
