"""What `jaxpot.spec` offers, and what importing it costs."""

import subprocess
import sys

import jaxpot.spec
from tests.spec.specs import FULL

HEAVY = ["duckdb", "flax", "jax", "numpy", "optax", "orbax", "pgx", "rich"]


def test_the_surface(snapshot):
    assert jaxpot.spec.__all__ == snapshot
    for name in jaxpot.spec.__all__:
        assert hasattr(jaxpot.spec, name)


def test_nothing_heavy_is_imported():
    code = (
        "import sys, jaxpot.spec as spec\n"
        f"spec.payload_keys(spec.from_resolved({FULL!r})); spec.json_schema()\n"
        f"sys.exit(', '.join(name for name in {HEAVY} if name in sys.modules) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
