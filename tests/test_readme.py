"""The README is run: its commands are parsed, its SQL is run, its example is built."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from jaxpot.cli.main import cli, invoke
from jaxpot.spec import load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUICK_START = "pip install -c constraints.txt -e . && jaxpot run specs/ttt.toml"
TEST = 'pip install -c constraints.txt -e ".[test]" && pytest'

# Overrides that make the spec of the README end in seconds, with every key emitted.
SMALL = [
    "collect.selfplay.num_envs=4",
    "collect.random.num_envs=4",
    "algorithm.batch_size=16",
    "model.hidden_dims=[8]",
    "eval.vs_random.every=1",
    "eval.vs_random.num_games=8",
    "checkpoint.every=1",
    "runtime.profile_every=0",
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    given = [line.removeprefix("PYTHONPATH=. ") for line in lines]
    return [shlex.split(line)[1:] for line in given if line.startswith("jaxpot ")]


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    text, *_ = blocks("toml")
    path = tmp_path_factory.mktemp("specs") / "ttt.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def runs_dir(spec, tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("runs")
    overrides = [word for override in SMALL for word in ("-s", override)]
    arguments = ["run", str(spec), "--iterations", "2", "--quiet", *overrides]
    assert invoke(["--runs-dir", str(runs_dir), *arguments]) == 0
    return runs_dir


def test_the_league_fits_the_spec(tmp_path):
    path = tmp_path / "league.toml"
    path.write_text("\n".join(blocks("toml")), encoding="utf-8")
    assert load(path).experiment.league is not None


def test_the_two_commands_are_the_ones_that_are_promised():
    shown = blocks("sh")
    assert f"{QUICK_START}\n" in shown
    assert f"{TEST}\n" in shown


def test_ci_runs_the_same_tests():
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert 'install --quiet -c constraints.txt -e ".[test]" && pytest' in ci


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_commands_parse(arguments):
    name, command, rest = cli.resolve_command(click.Context(cli), arguments)
    assert name is not None
    assert command is not None
    command.make_context(name, rest, obj={})


@pytest.mark.parametrize("query", blocks("sql"))
def test_sql_blocks_run(query, runs_dir, capsys):
    assert invoke(["--runs-dir", str(runs_dir), "sql", query, "--csv"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert "," in header
    # A single run differs from no other; every other example has rows.
    assert bool(rows) == ("differs_at" not in query)


@pytest.mark.parametrize(
    "arguments", [words for words in commands() if words[0] in ("ls", "show", "sql")], ids=" ".join
)
def test_reading_commands_run(arguments, runs_dir, capsys):
    assert invoke(["--runs-dir", str(runs_dir), *arguments]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 1


def test_own_model_is_built(spec, tmp_path, monkeypatch, capsys):
    (code,) = blocks("python")
    (tmp_path / "my_models.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    override = 'model={kind="my_models:OneLayer", hidden=4}'
    assert invoke(["check", str(spec), "--import", "-s", override]) == 0
    assert "imported my_models:OneLayer" in capsys.readouterr().out

    import my_models  # pyright: ignore[reportMissingImports]

    from jaxpot.models.base import count_parameters

    network = my_models.OneLayer(hidden=4).build(observation_shape=(3, 3, 2), num_actions=9)
    assert count_parameters(network) == (18 * 4 + 4) + (4 * 10 + 10)
