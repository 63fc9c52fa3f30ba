"""What stands before jax is imported: threads, flags, the compilation cache."""

import os
import stat
import subprocess
import sys

import pytest

from jaxpot.errors import UserError
from jaxpot.loop import environment
from jaxpot.loop.provenance import effective_nproc, instruction_set
from jaxpot.spec import Runtime


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
