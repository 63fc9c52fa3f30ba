"""docs/user-parts.md: its parts keep their contracts, and its spec is checked and run."""

from __future__ import annotations

import importlib
import json
import re
import sys

import pytest

from jaxpot.cli.main import invoke
from tests.docs.pages import blocks, files, page, write_files

TEXT = page("docs/user-parts.md")
MODULES = files(TEXT, "python")
(SPEC,) = files(TEXT, "toml")
SMALL = ["collect.selfplay.num_envs=8", "eval.vs_first.every=2", "runtime.profile_every=0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Writes every file of the page, and lets them be imported."""
    folder = tmp_path_factory.mktemp("user_parts")
    write_files(MODULES | files(TEXT, "toml"), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder
    for name in MODULES:
        sys.modules.pop(name.removesuffix(".py"), None)


def test_every_block_of_code_is_a_file():
    assert len(MODULES) == len(blocks(TEXT, "python")) == 14


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("test_")])
def test_the_parts_keep_their_contracts(folder, name):
    module = importlib.import_module(name.removesuffix(".py"))
    tests = [value for key, value in vars(module).items() if key.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


def test_the_spec_is_checked_as_written(folder, capsys):
    assert invoke(["check", str(folder / SPEC), "--import", "--shapes"]) == 0
    out = capsys.readouterr().out
    for kind in re.findall(r'kind = "(\w+:\w+)"', files(TEXT, "toml")[SPEC]):
        assert kind in out


@pytest.mark.slow
def test_the_spec_runs_and_resumes_to_the_same_bits(folder, tmp_path, capsys):
    overrides = [word for override in SMALL for word in ("-s", override)]
    run = ["--runs-dir", str(tmp_path), "run", str(folder / SPEC), *overrides, "--json", "--quiet"]
    whole = result(capsys, [*run, "--iterations", "4"])
    assert whole["metrics"].keys() >= {
        "total_loss", "iteration/learning_rate", "eval_vs_first/win_rate",
    }  # fmt: skip
    stopped = result(capsys, [*run, "--iterations", "3"])
    resume = ["--runs-dir", str(tmp_path), "resume", stopped["run"], "--json", "--quiet"]
    resumed = result(capsys, [*resume, "--iterations", "4"])
    assert (resumed["digest"], resumed["attempt"]) == (whole["digest"], 2)


def result(capsys, arguments):
    assert invoke(arguments) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("env.heap=2.5", "-s env.heap=2.5: env.heap: 2.5 is a float; allowed: an integer"),
        ("env.heap=0", "my_game:Nim refuses its table: ValueError: 'heap' must be >= 1: 0"),
        ("model.widht=3", "model.widht: unknown key; did you mean 'width'?"),
    ],
)
def test_a_wrong_table_is_a_fault(folder, capsys, override, message):
    assert invoke(["check", str(folder / SPEC), "--import", "-s", override]) == 2
    assert message in "".join(capsys.readouterr())
