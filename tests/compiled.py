"""Compiled programs that tests share, and letting go of them before they are too many.

XLA maps each function of a CPU program into memory on its own, some hundred a program, and Linux
allows a process 65,530 maps; beyond, the next compile crashes. A run of jaxpot has a few thousand,
a whole test session has more.
"""

import gc
import sys
from pathlib import Path
from typing import Any

SHARED: dict[str, Any] = {}
"""Programs by what they compute, for runs that compute the same."""

_MANY_MAPS = 20_000


def release_if_many() -> None:
    """Drops every compiled program of this process once it has too many memory maps."""
    maps = Path("/proc/self/maps")
    if "jax" not in sys.modules or not maps.exists():
        return
    with maps.open("rb") as lines:
        many = sum(1 for _ in lines) > _MANY_MAPS
    if many:
        SHARED.clear()
        sys.modules["jax"].clear_caches()
        gc.collect()
