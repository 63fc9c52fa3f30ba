"""Prepare the process for jax: what must be set before jax is imported, and what was set.

Nothing here imports jax at the top. `jax_flags.toml` decides on every flag of jax.
"""

import gc
import os
import platform
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jaxpot.errors import UserError
from jaxpot.paths import expanded
from jaxpot.spec import Runtime

_TABLES = tomllib.loads(
    resources.files("jaxpot.loop").joinpath("jax_flags.toml").read_text(encoding="utf-8")
)
PINNED: dict[str, tuple[Any, str]] = {
    name: (flag.get("value"), flag["why"]) for name, flag in _TABLES["pinned"].items()
}
"""Flags that are set to one value, with the reason."""
UNSET: dict[str, str] = {name: why for why, names in _TABLES["unset"].items() for name in names}
"""Flags whose environment variable is dropped, with the reason."""
RECORDED: dict[str, Any] = {name: flag.get("default") for name, flag in _TABLES["recorded"].items()}
"""Flags that the user may set and that are recorded, with jax's defaults."""
HARMLESS: dict[str, list[str]] = _TABLES["harmless"]
"""Flags that change no bit of a run, by what they do instead."""
RECORDED_VARIABLES: list[str] = _TABLES["variables"]["recorded"]
"""Other environment variables that are recorded."""

# Deterministic kernels instead of faster ones that add in any order; XLA's GPU backend only.
_GPU_FLAGS = ("--xla_gpu_deterministic_ops=true", "--xla_gpu_exclude_nondeterministic_ops=true")
_GPU_PLUGINS = ("jax_cuda12_plugin", "jax_cuda13_plugin", "jax_rocm7_plugin", "jax_rocm60_plugin")
# XLA's names for --xla_cpu_max_isa, weakest first, each with the /proc/cpuinfo flags it needs.
_X86_ISAS: tuple[tuple[str, frozenset[str]], ...] = (
    ("SSE4_2", frozenset({"sse4_2"})),
    ("AVX", frozenset({"avx"})),
    ("AVX2", frozenset({"avx2", "fma"})),
    ("AVX512", frozenset({"avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512cd"})),
    ("AVX512_VNNI", frozenset({"avx512_vnni"})),
    ("AVX512_BF16", frozenset({"avx512_bf16"})),
    ("AMX", frozenset({"amx_bf16", "amx_int8"})),
    ("AMX_FP16", frozenset({"amx_fp16"})),
)

_ignored: list[str] = []
_PROBE_SECONDS = 60.0
_MAX_THREADS = 4096


def prepare(runtime: Runtime, *, nproc: int | None = None) -> None:
    """Set the thread count and the compiler's flags for this process, then configure jax.

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
    """Return, in words, what the environment asked of jax and this process does not do."""
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
    """Start the collector again; from now on it skips the objects that exist already."""
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
    """Try XLA's flags in another process: XLA ends a process in which it finds a wrong flag."""
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
    """Make the user's cache directory, one for each instruction set, and return it.

    Only its owner may read or write it. None if it cannot be made: the user has no home, or cannot
    write to it.
    """
    try:
        base = expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "jaxpot"
        directory = base / "xla" / instruction_set()
        directory.mkdir(parents=True, exist_ok=True)
        base.chmod(0o700)
    except (OSError, UserError):
        return None
    return directory


def instruction_set(cpuinfo: str | None = None, xla_flags: str | None = None) -> str:
    """Name the widest instruction set that XLA's CPU backend will use here.

    Args:
        cpuinfo: Text of `/proc/cpuinfo`; read when None.
        xla_flags: Value of `XLA_FLAGS`; taken from the environment when None. Its
            `--xla_cpu_max_isa` caps the answer.

    Returns:
        XLA's name (`AVX2`, `AVX512`, ...) on x86; `SVE` or `NEON` on 64-bit Arm; otherwise the
        machine's architecture.
    """
    cpuinfo = _read_cpuinfo() if cpuinfo is None else cpuinfo
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.M)
    flags = frozenset(found[1].split() if found else ())
    if not flags & {"sse4_2", "asimd"}:
        return platform.machine()
    if "asimd" in flags:
        return "SVE" if "sve" in flags else "NEON"
    have = [name for name, needed in _X86_ISAS if needed <= flags]
    xla_flags = os.environ.get("XLA_FLAGS", "") if xla_flags is None else xla_flags
    caps = re.findall(r"(?<!\S)--xla_cpu_max_isa=(\S*)", xla_flags)
    order = [name for name, _ in _X86_ISAS]
    if caps and (cap := caps[-1].upper()) in order:
        have = [name for name in have if order.index(name) <= order.index(cap)]
    return have[-1] if have else platform.machine()


def effective_nproc(environ: Mapping[str, str] | None = None) -> int:
    """Return the number of threads that the CPU backend uses: `NPROC`, else the usable cores."""
    given = (os.environ if environ is None else environ).get("NPROC", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def drop_ignored(environ: MutableMapping[str, str]) -> Iterator[str]:
    """Drop the variables that must not reach jax; yield a sentence on each that was set."""
    for name, why in ({name: why for name, (_, why) in PINNED.items()} | UNSET).items():
        if (given := environ.pop(name.upper(), None)) is not None:
            yield f"{name.upper()}={given} is not used: {why}"


def recorded_settings(environ: Mapping[str, str], flags: Mapping[str, Any]) -> dict[str, str]:
    """Return what may change bits and was set, as the environment variables that set it.

    Args:
        environ: The environment.
        flags: jax's flags and their values.
    """
    found = {name: environ[name] for name in RECORDED_VARIABLES if environ.get(name)}
    for name, default in RECORDED.items():
        if name in flags and flags[name] != default:
            found[name.upper()] = str(flags[name])
    return found


def with_settings(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with the recorded settings, and no others of their kind."""
    ours = {*RECORDED_VARIABLES, *(name.upper() for name in RECORDED)}
    return {name: x for name, x in environ.items() if name not in ours} | dict(settings)
