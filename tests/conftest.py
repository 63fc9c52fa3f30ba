"""What every test runs under: small property tests, a shared cache of compiled programs."""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

from tests.compiled import optimise, release_if_large, release_if_many

# Set before any test imports jax; child processes inherit them.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxpot" / "tests"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

settings.register_profile(
    "fast",
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("deep", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_runtest_setup(item):
    """Refuse silent rank promotion, except in pgx's own games, and compile quickly.

    Tests marked `optimised` run the programs that users run.
    """
    if "jax" in sys.modules:
        optimise(item.get_closest_marker("optimised") is not None)
        allowed = item.get_closest_marker("promotes_ranks") is not None
        sys.modules["jax"].config.update(
            "jax_numpy_rank_promotion", "allow" if allowed else "raise"
        )


def pytest_runtest_teardown(item, nextitem):
    """Keep the process within what Linux lets it map, and within 2 GiB."""
    release_if_many()
    release_if_large(module_ends=nextitem is None or nextitem.path != item.path)
