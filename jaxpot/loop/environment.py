"""Settings that must stand before jax is imported; this module itself never imports it early."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from jaxpot.errors import UserError
from jaxpot.loop.provenance import effective_nproc, instruction_set
from jaxpot.paths import expanded
from jaxpot.spec import Runtime

# Deterministic kernels instead of faster ones that add in any order; XLA's GPU backend only.
_GPU_FLAGS = ("--xla_gpu_deterministic_ops=true", "--xla_gpu_exclude_nondeterministic_ops=true")
_GPU_PLUGINS = ("jax_cuda12_plugin", "jax_cuda13_plugin", "jax_rocm7_plugin", "jax_rocm60_plugin")


def prepare(runtime: Runtime, *, nproc: int | None = None) -> None:
    """Sets the thread count and the compiler's flags for this process, then configures jax.

    Args:
        runtime: The spec's `[runtime]` table.
        nproc: The thread count of the run that is resumed; the spec's own otherwise.

    Raises:
        UserError: jax is already imported and another thread count would be needed.
    """
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
    _configure(compilation_cache=runtime.compilation_cache)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Stops Python's cyclic garbage collector while a run is imported, traced and lowered.

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
    """Starts the collector again, with every object that there is by now left out of its walks."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _add_flags(flags: tuple[str, ...]) -> None:
    given = os.environ.get("XLA_FLAGS", "").split()
    names = {flag.partition("=")[0] for flag in given}
    extra = [flag for flag in flags if flag.partition("=")[0] not in names]
    os.environ["XLA_FLAGS"] = " ".join([*given, *extra])


def _configure(*, compilation_cache: bool) -> None:
    import jax

    jax.config.update("jax_threefry_partitionable", True)
    if not compilation_cache:
        jax.config.update("jax_enable_compilation_cache", False)
        return
    if jax.config.values["jax_compilation_cache_dir"] is None:
        directory = cache_dir()
        if directory is None:
            return
        jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def cache_dir() -> Path | None:
    """Makes the user's own cache directory, one for each instruction set, and returns it.

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
