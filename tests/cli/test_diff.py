"""`jaxpot diff`: what two specs come to, not how they are written."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from jaxpot.cli.specs import diff_command as command
from jaxpot.spec import SpecError

EXAMPLE = (Path(__file__).parent.parent / "spec" / "example.toml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def specs(tmp_path, monkeypatch):
    """Two specs that differ, and one that is the first in other words."""
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text(EXAMPLE)
    Path("b.toml").write_text(
        'extends = "a.toml"\nseed = 7\nexpect = []\n'
        '[optimizer]\nkind = "sgd"\nlearning_rate = 0.1\n'
        '[eval.tree]\nkind = "game_tree"\nevery = 100\n'
    )
    Path("same.toml").write_text(
        EXAMPLE.replace("learning_rate = 1e-3", "b1 = 0.9\nlearning_rate = 0.001").replace(
            "[collect.selfplay]\nnum_envs = 1024", "selfplay = { num_envs = 1_024 }"
        )
    )
    Path("reseeded.toml").write_text('extends = "a.toml"\nseed = 7\nname = "again"\n')


def test_text(snapshot):
    done = CliRunner().invoke(command, ["a.toml", "b.toml"])
    assert done.exit_code == 0
    assert done.stdout == snapshot
    assert done.stderr.endswith("differences; the two train differently\n")


def test_json(snapshot):
    done = CliRunner().invoke(command, ["a.toml", "b.toml", "--json"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout) == snapshot


def test_other_words_are_no_difference():
    done = CliRunner().invoke(command, ["a.toml", "same.toml"])
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "no difference\n")


def test_another_seed_trains_alike():
    done = CliRunner().invoke(command, ["a.toml", "reseeded.toml"])
    assert done.stdout.splitlines() == ['name: "ttt" -> "again"', "seed: 42 -> 7"]
    assert done.stderr == "2 differences; the two train alike but for the seed\n"


def test_a_bad_spec_is_refused():
    done = CliRunner().invoke(command, ["a.toml", "missing.toml"])
    assert isinstance(done.exception, SpecError)
