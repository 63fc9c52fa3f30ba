"""Settings that must stand before jax is imported; this module itself never imports it early."""

import gc
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jaxpot.errors import UserError
from jaxpot.loop.provenance import effective_nproc, instruction_set
from jaxpot.loop.variables import PINNED, drop_ignored
from jaxpot.paths import expanded
from jaxpot.spec import Runtime

# Deterministic kernels instead of faster ones that add in any order; XLA's GPU backend only.
_GPU_FLAGS = ("--xla_gpu_deterministic_ops=true", "--xla_gpu_exclude_nondeterministic_ops=true")
_GPU_PLUGINS = ("jax_cuda12_plugin", "jax_cuda13_plugin", "jax_rocm7_plugin", "jax_rocm60_plugin")


_ignored: list[str] = []
_PROBE_SECONDS = 60.0
_MAX_THREADS = 4096


def prepare(runtime: Runtime, *, nproc: int | None = None) -> None:
    """Set the thread count and the compiler's flags for this process, then configures jax.

    Args:
        runtime: The spec's `[runtime]` table.
        nproc: The thread count of the run that is resumed; the spec's own otherwise.

    Raises:
        UserError: jax is already imported and another thread count would be needed; or jax does
            not start with what the environment says.
    """
    _check_nproc()
    threads = nproc or runtime.nproc
    if threads is not None and threads != effective_nproc():
        if "jax" in sys.modules:
            raise UserError(
                f"runtime.nproc: {threads} threads are asked for, but jax already runs in this "
                f"process with {effective_nproc()}; start a fresh process"
            )
        os.environ["NPROC"] = str(threads)
    if runtime.deterministic and any(find_spec(plugin) for plugin in _GPU_PLUGINS):
        _add_flags(_GPU_FLAGS)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "jax" not in sys.modules:
        _ignored.extend(drop_ignored(os.environ))
        _check_xla_flags()
    _start_jax(compilation_cache=runtime.compilation_cache)


def ignored() -> tuple[str, ...]:
    """Returns, in words, what the environment asked of jax and this process does not do."""
    return tuple(_ignored)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Stop Python's cyclic garbage collector while a run is imported, traced and lowered.

    It would walk a million objects, none of them garbage, dozens of times: a tenth of the time to
    the first iteration. `resume_collector` ends the pause early.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


def resume_collector() -> None:
    """Start the collector again, with every object that there is by now left out of its walks."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _add_flags(flags: tuple[str, ...]) -> None:
    given = os.environ.get("XLA_FLAGS", "").split()
    names = {flag.partition("=")[0] for flag in given}
    extra = [flag for flag in flags if flag.partition("=")[0] not in names]
    os.environ["XLA_FLAGS"] = " ".join([*given, *extra])


def _check_nproc() -> None:
    given = os.environ.get("NPROC", "")
    if given and not (given.isdecimal() and 0 < int(given) <= _MAX_THREADS):
        raise UserError(
            f"NPROC={given}: the number of threads is a whole number from 1 to {_MAX_THREADS}; "
            "unset it for as many as there are cores"
        )


def _check_xla_flags() -> None:
    """Try XLA's flags in another process: XLA ends the one in which it finds a wrong flag."""
    given = os.environ.get("XLA_FLAGS", "")
    if not given:
        return
    code = "from jaxlib import xla_client; xla_client.make_cpu_client()"
    try:
        tried = subprocess.run(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # this process will see for itself
    fatal = re.search(r"^F\S+ .*?\] (.*)$", tried.stderr, re.M)
    if tried.returncode and fatal is not None:
        raise UserError(f"XLA_FLAGS={given}: XLA does not take it: {fatal[1]}")


def _start_jax(*, compilation_cache: bool) -> None:
    try:
        import jax
    except ValueError as error:
        # jax reads every flag's variable as it is imported.
        raise UserError(f"jax does not start with this environment: {_line(error)}") from error

    known = jax.config.values
    for name, (value, _) in PINNED.items():
        if name in known:
            jax.config.update(name, value)
    _place_cache(jax.config, wanted=compilation_cache)
    try:
        jax.devices()
    except (RuntimeError, ValueError, AssertionError) as error:
        names = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME", "CUDA_VISIBLE_DEVICES", "XLA_FLAGS")
        given = " ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)
        why = _line(error) or "that platform is not installed, or has no device"
        raise UserError(
            f"jax has no device to run on{f' with {given}' if given else ''}: {why}; "
            "JAX_PLATFORMS=cpu is always there"
        ) from error
    _check_precision(jax)


def _check_precision(jax: Any) -> None:
    precision = jax.config.values.get("jax_default_matmul_precision")
    if precision is None:
        return
    try:
        jax.jit(lambda x: x @ x).lower(jax.ShapeDtypeStruct((2, 2), "float32")).compile()
    except (ValueError, RuntimeError) as error:
        raise UserError(f"JAX_DEFAULT_MATMUL_PRECISION={precision}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")


def _place_cache(config: Any, *, wanted: bool) -> None:
    if not wanted:
        config.update("jax_enable_compilation_cache", False)
        return
    given = config.values["jax_compilation_cache_dir"]
    directory = cache_dir() if given is None else expanded(given)
    if directory is None:
        return
    config.update("jax_compilation_cache_dir", str(directory))
    config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def cache_dir() -> Path | None:
    """Make the user's own cache directory, one for each instruction set, and returns it.

    Only its owner may read or write it. None where there can be none: a user without a home, or
    a home that cannot be written to.
    """
    try:
        base = expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "jaxpot"
        directory = base / "xla" / instruction_set()
        directory.mkdir(parents=True, exist_ok=True)
        base.chmod(0o700)
    except (OSError, UserError):
        return None
    return directory
