"""Compiled programs that tests share, and letting go of them before they are too many.

XLA maps each function of a CPU program into memory on its own, some hundred a program, and Linux
allows a process 65,530 maps; beyond, the next compile crashes. A run of jaxpot has a few thousand,
a whole test session has more.
"""

import ctypes
import gc
import os
import sys
from pathlib import Path
from typing import Any

SHARED: dict[str, Any] = {}
"""Programs by what they compute, for runs that compute the same."""

_MANY_MAPS = 30_000
_BETWEEN_MODULES = 900 * 2**20
_BETWEEN_TESTS = 1400 * 2**20
"""Bytes in memory above which a process lets go of its programs, so that it stays below 2 GiB."""

_STATM = Path("/proc/self/statm")
_left_at_release = 0
_COMPILED = "/jax/core/compile/backend_compile_duration"
_since_looked: list[str] | None = None
"""What jax has compiled or loaded since the maps were counted; None before there is a listener."""


def _listen(event: str, seconds: float, **_: Any) -> None:
    del seconds
    if event == _COMPILED and _since_looked is not None:
        _since_looked.append(event)


def _nothing_new() -> bool:
    """Tells whether no program was added since the last call: counting maps takes 10 ms."""
    global _since_looked
    if _since_looked is None:
        sys.modules["jax"].monitoring.register_event_duration_secs_listener(_listen)
        _since_looked = []
        return False
    nothing = not _since_looked
    _since_looked.clear()
    return nothing


def release_if_many() -> None:
    """Drop every compiled program of this process once it has too many memory maps."""
    maps = Path("/proc/self/maps")
    if "jax" not in sys.modules or not maps.exists() or _nothing_new():
        return
    with maps.open("rb") as lines:
        many = sum(1 for _ in lines) > _MANY_MAPS
    if many:
        release()


def release_if_large(*, module_ends: bool) -> None:
    """Drop every compiled program of this process once it takes much memory."""
    if "jax" not in sys.modules or not _STATM.exists():
        return
    limit = _BETWEEN_MODULES if module_ends else _BETWEEN_TESTS
    # What was left at the last time is no program's, so that dropping them again would be in vain.
    if _in_memory() > max(limit, _left_at_release + 2**28):
        release()


def release() -> None:
    """Drop every compiled program of this process, and return its memory to the system."""
    global _left_at_release
    SHARED.clear()
    sys.modules["jax"].clear_caches()
    gc.collect()
    # What glibc keeps of freed memory for later would count as the process's.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    if _STATM.exists():
        _left_at_release = _in_memory()


def _in_memory() -> int:
    """Return the bytes of this process that are in memory."""
    return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def optimise(wanted: bool) -> None:
    """Compile what follows with all optimisations, or with few, which takes half of the time.

    The same operations are fused either way; the machine code is less refined.
    """
    config = sys.modules["jax"].config
    if config.values["jax_disable_most_optimizations"] is wanted:
        release()
        config.update("jax_disable_most_optimizations", not wanted)
