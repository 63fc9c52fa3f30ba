"""`jaxpot explain`: codes, and the origin of values."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from jaxpot.cli.explain import explain_command as command
from jaxpot.errors import UserError
from jaxpot.spec import CODES

EXAMPLE = (Path(__file__).parent.parent / "spec" / "example.toml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def specs(tmp_path, monkeypatch):
    """Write a base spec, and a spec that changes parts of it."""
    monkeypatch.chdir(tmp_path)
    Path("base.toml").write_text(EXAMPLE)
    Path("spec.toml").write_text(
        'extends = "base.toml"\noptimizer.learning_rate = 5e-4\n[[expect]]\n'
        'metric = "eval_vs_random/win_rate"\nmin = 0.9\n'
    )
    Path("other.toml").write_text('extends = "base.toml"\n[optimizer]\nkind = "adam"\nb1 = 0.5\n')


def explain(*arguments):
    done = CliRunner().invoke(command, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def test_without_a_subject_every_code_is_listed():
    lines = explain().splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == list(CODES)
    assert [code["code"] for code in json.loads(explain("--json"))] == list(CODES)


def test_a_code(snapshot):
    assert explain("toml-syntax") == snapshot
    assert json.loads(explain("toml-syntax", "--json"))["code"] == "toml-syntax"


def test_an_unknown_code():
    with pytest.raises(UserError, match="did you mean 'toml-syntax'"):
        explain("toml-sintax")


@pytest.mark.parametrize(
    "arguments",
    [
        ("spec.toml", "optimizer.learning_rate"),
        ("spec.toml", "optimizer.learning_rate", "-s", "optimizer.learning_rate=1e-2"),
        ("spec.toml", "optimizer.b1"),
        ("spec.toml", "optimizer.kind"),
        ("spec.toml", "model.hidden_dims"),
        ("spec.toml", "expect.0.min"),
        ("spec.toml", "expect.0.max"),
        ("spec.toml", "checkpoint.best.keep"),
        ("spec.toml", "algorithm.entropy_coeff"),
        ("other.toml", "optimizer"),
        ("other.toml", "optimizer.max_grad_norm"),
    ],
    ids=" ".join,
)
def test_a_value(arguments, snapshot):
    assert explain(*arguments) == snapshot


def test_a_whole_spec(snapshot):
    assert explain("spec.toml") == snapshot


def test_json(snapshot):
    assert json.loads(explain("spec.toml", "optimizer.learning_rate", "--json")) == snapshot


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("optimizer.learning_rte", "no optimizer.learning_rte; did you mean 'optimizer.learning_"),
        ("expect.1", "spec.toml has no expect.1; expect has 0"),
        ("seed.x", "spec.toml has no seed.x"),
        ("a b", '"a b" is not a path'),
        ("seed=3", '"seed=3" is not a path'),
    ],
)
def test_a_path_that_is_not_there(path, text):
    with pytest.raises(UserError, match=text):
        explain("spec.toml", path)


def test_a_file_that_is_not_there():
    with pytest.raises(UserError, match=r"nothing\.toml: no such file"):
        explain("nothing.toml")


def test_where_a_table_was_removed():
    removal = ("-s", 'eval.vs_random="none"', "-s", 'checkpoint="none"', "-s", 'expect="none"')
    text = explain("spec.toml", "eval.vs_random", *removal)
    assert text.startswith('eval.vs_random = "none"\n  from -s eval.vs_random="none"\n')
    assert "overrides {" in text and "from base.toml:" in text
    assert '-s eval.vs_random="none"' in explain("spec.toml", "eval", *removal)
    assert 'from -s expect="none"' in explain("spec.toml", "expect", *removal)
