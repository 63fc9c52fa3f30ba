"""`jaxpot check`, `jaxpot diff` and `jaxpot schema`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from jaxpot.cli.specs import check_command, diff_command, schema_command
from jaxpot.errors import UserError
from jaxpot.spec import SpecError, json_schema

EXAMPLE = (Path(__file__).parent.parent / "spec" / "example.toml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def specs(tmp_path, monkeypatch):
    """Write a good spec, a bad one, and one that names a user's class."""
    monkeypatch.chdir(tmp_path)
    Path("good.toml").write_text(EXAMPLE)
    Path("bad.toml").write_text(
        EXAMPLE.replace("learning_rate = 1e-3", "learning_rte = 1e-3").replace(
            "seed = 42", "seed = -1"
        )
    )
    own = EXAMPLE.replace(
        'kind = "mlp"\nhidden_dims = [64, 64]', 'kind = "own_model_of_check:Linear"'
    )
    Path("own.toml").write_text(own)


def check(*arguments):
    return CliRunner().invoke(check_command, arguments, obj={"runs_dir": Path("runs")})


def test_a_missing_package_is_a_fault_with_the_way_out(monkeypatch):
    monkeypatch.setattr("jaxpot.spec.registry.find_spec", lambda _: None)
    Path("sinks.toml").write_text('extends = "good.toml"\n[sinks.tensorboard]\n')
    result = CliRunner().invoke(check_command, ["sinks.toml"], obj={})
    assert result.exit_code == 2
    assert result.stderr == (
        "sinks.toml:2: sinks.tensorboard: a sink of kind tensorboard needs tensorboardX, which is "
        "not installed; allowed: `pip install 'jaxpot[tensorboard]'`, or another sink "
        "[missing-extra]\n"
    )


def test_a_good_spec(snapshot):
    done = check("good.toml")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == snapshot


def test_a_bad_spec(snapshot):
    done = check("bad.toml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == snapshot


def test_many_specs_are_all_checked():
    done = check("bad.toml", "good.toml", "missing.toml")
    assert done.exit_code == 2
    assert done.stdout.startswith("good.toml: ok: ttt, digest ")
    assert "bad.toml:2: seed" in done.stderr
    assert "missing.toml: no such file" in done.stderr


def test_no_spec_is_a_wrong_use():
    assert check().exit_code == 2


def test_overrides_apply_to_every_spec():
    done = check("good.toml", "-s", "seed=-1", "-s", "optimizer.b1=2")
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["-s optimizer.b1=2", "-s seed=-1"]
    assert check("good.toml", "-s", "seed=7").exit_code == 0


def test_json(snapshot):
    done = check("good.toml", "bad.toml", "--json", "-s", "model.hidden_dims=[8]")
    assert done.exit_code == 2
    reports = json.loads(done.stdout)
    for digest in ("spec_digest", "training_digest"):
        assert len(reports[0].pop(digest)) == 64
    assert reports == snapshot


def test_import_paths_are_listed_and_not_imported():
    done = check("own.toml")
    assert done.exit_code == 0
    assert done.stdout.rstrip().endswith("names own_model_of_check:Linear (not imported)")


def test_import_imports(monkeypatch, tmp_path):
    assert check("own.toml", "--import").exit_code == 2
    Path("own_model_of_check.py").write_text(
        "import attrs\n\n@attrs.frozen\nclass Linear:\n    width: int = 3\n\n"
        "    def build(self, *, observation_shape, num_actions):\n        return None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    done = check("own.toml", "--import")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith("imported own_model_of_check:Linear")
    refused = check("own.toml", "--import", "-s", "model.widht=3")
    assert refused.exit_code == 2
    assert "-s model.widht=3: model.widht: unknown key" in refused.stderr


def test_shapes_of_a_class_that_is_not_imported_are_refused():
    done = check("own.toml", "--shapes")
    assert done.exit_code == 2
    assert done.stderr == ("own.toml: --shapes needs --import, for own_model_of_check:Linear\n")


def test_shapes_are_asked_for(monkeypatch):
    asked = []
    monkeypatch.setitem(sys.modules, "jaxpot.loop.environment", type(sys)("environment"))
    monkeypatch.setattr(
        sys.modules["jaxpot.loop.environment"], "prepare", asked.append, raising=False
    )
    monkeypatch.setitem(sys.modules, "jaxpot.loop.shapes", type(sys)("shapes"))
    monkeypatch.setattr(
        sys.modules["jaxpot.loop.shapes"],
        "check_shapes",
        lambda *arguments: asked.extend(arguments),
        raising=False,
    )
    assert check("good.toml", "--shapes", "-s", "runtime.nproc=3").exit_code == 0
    runtime, experiment, runs_dir = asked
    assert experiment.runtime.nproc == 3
    assert runtime.nproc is None
    assert runs_dir == Path("runs")
    check("good.toml", "--shapes", "--runs-dir", "elsewhere")
    assert asked[-1] == Path("elsewhere")


def test_nothing_heavy_is_imported_and_nothing_is_written(tmp_path):
    program = (
        "import sys; from jaxpot.cli.specs import check_command as check_command;"
        "check_command(['good.toml', 'bad.toml'], standalone_mode=False);"
        "heavy = {'jax', 'jaxlib', 'flax', 'optax', 'pgx', 'orbax', 'numpy', 'duckdb', 'rich'};"
        "sys.exit(repr(heavy & set(sys.modules)))"
    )
    before = sorted(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-B", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("good.toml: ok: ttt")
    assert done.stderr.splitlines()[-1] == "set()"
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture(autouse=True)
def two_specs(tmp_path, monkeypatch):
    """Write two specs that differ, and one that writes the first in another way."""
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


def test_differences(snapshot):
    done = CliRunner().invoke(diff_command, ["a.toml", "b.toml"])
    assert done.exit_code == 0
    assert done.stdout == snapshot
    assert done.stderr.endswith("differences; the two train differently\n")


def test_differences_as_json(snapshot):
    done = CliRunner().invoke(diff_command, ["a.toml", "b.toml", "--json"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout) == snapshot


def test_other_words_are_no_difference():
    done = CliRunner().invoke(diff_command, ["a.toml", "same.toml"])
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "no difference\n")


def test_another_seed_trains_alike():
    done = CliRunner().invoke(diff_command, ["a.toml", "reseeded.toml"])
    assert done.stdout.splitlines() == ['name: "ttt" -> "again"', "seed: 42 -> 7"]
    assert done.stderr == "2 differences; the two train alike but for the seed\n"


def test_a_bad_spec_is_refused():
    done = CliRunner().invoke(diff_command, ["a.toml", "missing.toml"])
    assert isinstance(done.exception, SpecError)


def test_to_stdout():
    assert json.loads(CliRunner().invoke(schema_command, []).stdout) == json_schema()


def test_to_a_file(tmp_path):
    path = tmp_path / "experiment.schema.json"
    done = CliRunner().invoke(schema_command, ["-o", str(path)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert json.loads(path.read_text()) == json_schema()
    assert path.read_text() == CliRunner().invoke(schema_command, []).stdout


def test_a_file_that_cannot_be_written(tmp_path):
    done = CliRunner().invoke(schema_command, ["-o", str(tmp_path / "no" / "x.json")])
    assert isinstance(done.exception, UserError)
    assert "cannot be written: No such file or directory" in str(done.exception)


def test_the_shipped_schema_is_this_one():
    shipped = Path(__file__).parent.parent.parent / "specs" / "experiment.schema.json"
    assert shipped.read_text(encoding="utf-8") == CliRunner().invoke(schema_command, []).stdout
