"""Threads, flags and the cache are set before jax is imported; every flag of jax is decided on."""

import json
import os
import platform
import re
import stat
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jaxpot.errors import UserError
from jaxpot.loop import environment
from jaxpot.loop.environment import effective_nproc, instruction_set
from jaxpot.loop.provenance import environment_changes
from jaxpot.spec import Runtime, load
from jaxpot.verify.rerun import Settings
from tests.loop.running import train

pytestmark = pytest.mark.optimised

SPEC = """
name = "tiny"
iterations = 2
env = { kind = "pgx", id = "tic_tac_toe" }
model = { kind = "mlp", hidden_dims = [4] }
algorithm = { kind = "ppo", num_epochs = 1, batch_size = 16 }
collect = { num_steps = 4, selfplay = { num_envs = 4 } }
checkpoint = { every = "none" }
"""
HARMLESS = [name for names in environment.HARMLESS.values() for name in names]
DECIDED = [*environment.PINNED, *environment.UNSET, *environment.RECORDED, *HARMLESS]
AVX2 = "sse4_2 avx avx2 fma"
AVX512 = f"{AVX2} avx512f avx512vl avx512bw avx512dq avx512cd"
AMX = f"{AVX512} avx512_vnni avx512_bf16 amx_tile amx_bf16 amx_int8"


def test_the_cache_is_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    directory = environment.cache_dir()
    assert directory == tmp_path / "cache" / "jaxpot" / "xla" / instruction_set()
    assert stat.S_IMODE((tmp_path / "cache" / "jaxpot").stat().st_mode) == 0o700


def test_without_a_place_for_a_cache_there_is_none(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert environment.cache_dir() is None


def test_another_thread_count_is_refused_once_jax_runs():
    assert "jax" in sys.modules
    with pytest.raises(UserError, match="start a fresh process"):
        environment.prepare(Runtime(nproc=effective_nproc() + 1))


def test_the_gpus_flags_are_set_where_a_plugin_is_and_the_users_own_are_kept(monkeypatch):
    monkeypatch.setattr(environment, "find_spec", lambda name: name == "jax_cuda12_plugin")
    mine = "--xla_gpu_deterministic_ops=false --xla_cpu_max_isa=AVX2"
    monkeypatch.setenv("XLA_FLAGS", mine)
    environment.prepare(Runtime())
    assert os.environ["XLA_FLAGS"] == f"{mine} --xla_gpu_exclude_nondeterministic_ops=true"
    monkeypatch.setenv("XLA_FLAGS", mine)
    environment.prepare(Runtime(deterministic=False))
    assert os.environ["XLA_FLAGS"] == mine


@pytest.mark.slow
def test_the_random_numbers_contract_does_not_depend_on_the_users_settings():
    code = """
from jaxpot.loop import environment
from jaxpot.spec import Runtime
environment.prepare(Runtime(compilation_cache=False))
import jax
from jaxpot.loop.streams import advance_chain, root_key
key, collectors = advance_chain(root_key(1), 0)
print(jax.random.key_data(key), jax.random.key_impl(key), jax.random.bits(collectors.random, (3,)))
"""
    settings = {"JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_THREEFRY_PARTITIONABLE": "0"}
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **extra},
        ).stdout
        for extra in ({}, settings)
    }
    assert len(printed) == 1
    assert "fry" in printed.pop()


@pytest.mark.parametrize(
    ("flags", "xla_flags", "name"),
    [
        ("sse4_2", "", "SSE4_2"),
        (AVX2, "", "AVX2"),
        (AVX512, "", "AVX512"),
        (AMX, "", "AMX"),
        (AMX, "--xla_cpu_max_isa=AVX2", "AVX2"),
        (AMX, "--xla_cpu_max_isa=avx512 --other=1", "AVX512"),
        (AMX, "--xla_cpu_max_isa=AVX2 --xla_cpu_max_isa=AVX512", "AVX512"),
        (AVX2, "--xla_cpu_max_isa=AVX512", "AVX2"),
        (AVX2, "--xla_cpu_max_isa=NONSENSE", "AVX2"),
    ],
)
def test_instruction_set(flags, xla_flags, name):
    cpuinfo = f"processor\t: 0\nflags\t\t: fpu {flags}\n"
    assert instruction_set(cpuinfo, xla_flags) == name


def test_instruction_set_of_other_machines():
    assert instruction_set("Features\t: fp asimd aes\n", "") == "NEON"
    assert instruction_set("Features\t: fp asimd sve\n", "") == "SVE"
    assert instruction_set("", "") == platform.machine()


def test_instruction_set_reads_the_environment(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX2")
    cpuinfo = f"flags : {AMX}"
    assert instruction_set(cpuinfo) == "AVX2"


@pytest.mark.parametrize(("given", "count"), [("3", 3), ("0", None), ("many", None), ("", None)])
def test_effective_nproc(given, count):
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert effective_nproc({"NPROC": given}) == (count or usable)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("flags") / "tiny.toml"
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
    assert new == [], "put each into a table of jaxpot/loop/jax_flags.toml"


def test_no_flag_is_listed_that_the_pinned_jax_has_not():
    constraints = Path("constraints.txt").read_text()
    if f"jax=={jax.__version__}\n" in constraints:
        assert set(DECIDED) <= set(jax.config.values)


def test_what_is_pinned_or_taken_as_the_default_is_jaxs_own_default():
    names = [*environment.PINNED, *environment.RECORDED]
    code = f"import jax, json; print(json.dumps({{n: jax.config.values[n] for n in {names}}}))"
    bare = {name: x for name, x in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=bare)
    expected = {name: value for name, (value, _) in environment.PINNED.items()}
    assert json.loads(done.stdout) == expected | dict(environment.RECORDED)


def test_an_unknown_flag_of_a_newer_jax_is_left_alone():
    environ = {"JAX_SOMETHING_NEW": "1", "JAX_ENABLE_X64": "1"}
    assert list(environment.drop_ignored(environ)) == [
        "JAX_ENABLE_X64=1 is not used: every number of a run has 32 bits"
    ]
    assert environ == {"JAX_SOMETHING_NEW": "1"}
    assert environment.recorded_settings(environ, {}) == {}


@pytest.mark.slow
def test_no_variable_that_is_not_used_changes_a_bit(spec, tmp_path):
    plain = train(load(spec).experiment, tmp_path)
    names = [*environment.PINNED, *environment.UNSET]
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
    flags = dict(environment.RECORDED) | {"jax_num_cpu_devices": 2}
    assert environment.recorded_settings(environ, flags) == {
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
