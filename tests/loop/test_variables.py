"""Every flag of jax is decided on, and what the environment says changes no bit unsaid."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jaxpot.loop import variables
from jaxpot.loop.provenance import environment_changes
from jaxpot.spec import load
from jaxpot.verify.rerun import Settings
from tests.loop.running import train

SPEC = """
name = "tiny"
iterations = 2
env = { kind = "pgx", id = "tic_tac_toe" }
model = { kind = "mlp", hidden_dims = [4] }
algorithm = { kind = "ppo", num_epochs = 1, batch_size = 16 }
collect = { num_steps = 4, selfplay = { num_envs = 4 } }
checkpoint = { every = "none" }
"""
HARMLESS = [name for names in variables.HARMLESS.values() for name in names]
DECIDED = [*variables.PINNED, *variables.UNSET, *variables.RECORDED, *HARMLESS]


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("variables") / "tiny.toml"
    path.write_text(SPEC)
    return path


def jaxpot(spec, *arguments, **environ):
    return subprocess.run(
        [sys.executable, "-m", "jaxpot.cli.main", *arguments],
        capture_output=True,
        text=True,
        cwd=spec.parent,
        env={**os.environ, **environ},
        timeout=120,
    )


def test_every_flag_of_jax_is_decided_on_once():
    assert len(DECIDED) == len(set(DECIDED))
    new = sorted(set(jax.config.values) - set(DECIDED))
    assert new == [], "put each into a table of jaxpot/loop/variables.py"


def test_no_flag_is_listed_that_the_pinned_jax_has_not():
    constraints = Path("constraints.txt").read_text()
    if f"jax=={jax.__version__}\n" in constraints:
        assert set(DECIDED) <= set(jax.config.values)


def test_what_is_pinned_or_taken_as_the_default_is_jaxs_own_default():
    names = [*variables.PINNED, *variables.RECORDED]
    code = f"import jax, json; print(json.dumps({{n: jax.config.values[n] for n in {names}}}))"
    bare = {name: x for name, x in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=bare)
    expected = {name: value for name, (value, _) in variables.PINNED.items()}
    assert json.loads(done.stdout) == expected | dict(variables.RECORDED)


def test_an_unknown_flag_of_a_newer_jax_is_left_alone():
    environ = {"JAX_SOMETHING_NEW": "1", "JAX_ENABLE_X64": "1"}
    assert list(variables.drop_ignored(environ)) == [
        "JAX_ENABLE_X64=1 is not used: every number of a run has 32 bits"
    ]
    assert environ == {"JAX_SOMETHING_NEW": "1"}
    assert variables.recorded_settings(environ, {}) == {}


@pytest.mark.slow
def test_no_variable_that_is_not_used_changes_a_bit(spec, tmp_path):
    plain = train(load(spec).experiment, tmp_path)
    names = [*variables.PINNED, *variables.UNSET]
    given = {name.upper(): "1" if index % 2 else "nonsense" for index, name in enumerate(names)}
    done = jaxpot(spec, "run", "tiny.toml", "--json", **given)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] == plain.digest
    said = re.findall(r"^warning: (\w+)=\w+ is not used: ", done.stderr, re.M)
    assert sorted(said) == sorted(given)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("JAX_PLATFORMS", "CPU", "jax has no device to run on with JAX_PLATFORMS=CPU"),
        ("JAX_PLATFORMS", "cuda", "jax has no device to run on with JAX_PLATFORMS=cuda"),
        ("JAX_DEFAULT_MATMUL_PRECISION", "TF32_TF32_F32", "JAX_DEFAULT_MATMUL_PRECISION=TF32_"),
        ("JAX_LOG_COMPILES", "maybe", "jax does not start with this environment: .*LOG_COMPILES"),
        ("XLA_FLAGS", "--xla_odd=1", "XLA_FLAGS=--xla_odd=1: XLA does not take it: Unknown flag"),
        ("NPROC", "many", "NPROC=many: the number of threads is a whole number from 1 to 4096"),
        ("NPROC", "5000", "NPROC=5000: the number of threads is a whole number from 1 to 4096"),
    ],
)
def test_what_jax_cannot_start_with_is_one_line(spec, name, value, said):
    done = jaxpot(spec, "keys", "tiny.toml", **{name: value})
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(f"error: {said}", done.stderr)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    ["run tiny.toml", "plan tiny.toml", "check --shapes tiny.toml", "verify tiny.toml"],
)
def test_every_command_that_starts_jax_refuses_alike_and_makes_nothing(spec, tmp_path, command):
    runs_dir = tmp_path / "runs"
    done = jaxpot(spec, "--runs-dir", str(runs_dir), *command.split(), JAX_PLATFORMS="CPU")
    assert done.returncode == 2
    assert "jax has no device to run on with JAX_PLATFORMS=CPU" in done.stderr
    assert "Traceback" not in done.stderr
    assert not runs_dir.exists()


def test_a_child_has_the_recorded_settings_and_no_others(monkeypatch):
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "highest")
    monkeypatch.setenv("JAX_LOG_COMPILES", "0")
    assert Settings().environ()["JAX_DEFAULT_MATMUL_PRECISION"] == "highest"
    environ = Settings(variables={"NVIDIA_TF32_OVERRIDE": "0"}).environ()
    assert "JAX_DEFAULT_MATMUL_PRECISION" not in environ
    assert (environ["NVIDIA_TF32_OVERRIDE"], environ["JAX_LOG_COMPILES"]) == ("0", "0")


def test_a_setting_is_recorded_however_it_was_made():
    environ = {"LIBTPU_INIT_ARGS": "--a", "DNNL_MAX_CPU_ISA": ""}
    flags = dict(variables.RECORDED) | {"jax_num_cpu_devices": 2}
    assert variables.recorded_settings(environ, flags) == {
        "LIBTPU_INIT_ARGS": "--a",
        "JAX_NUM_CPU_DEVICES": "2",
    }


@pytest.mark.slow
def test_resume_warns_where_a_setting_has_changed(spec, tmp_path):
    from jaxpot.journal import read_record

    record = read_record(train(load(spec).experiment, tmp_path).run_dir)
    here = record.provenance
    assert here["environ"] == {}
    assert environment_changes(record, here) == []
    now = here | {"environ": {"JAX_NUM_CPU_DEVICES": "2"}}
    assert environment_changes(record, now) == [
        "JAX_NUM_CPU_DEVICES was unset and is 2: the bits may differ from here on"
    ]
    del record.provenance["environ"]  # a record of an older jaxpot says nothing
    assert environment_changes(record, now) == []
