"""Runs every benchmark, or those that are named: `python -m benchmarks [NAME ...]`."""

import argparse
import subprocess
import sys
from pathlib import Path

# The others in this folder are what these are made of.
NAMES = (
    "runner_over_floor",
    "recording",
    "first_iteration",
    "read_commands",
    "league",
    "alphazero",
    "recurrent",
    "half_precision",
    "arithmetic",
    "convolution",
    "store",
    "trackers",
)


def main() -> int:
    """Runs them one after the other, each in a separate process; counts those that failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    failed = 0
    for name in options.names or NAMES:
        script = Path(__file__).with_name(f"{name}.py")
        failed += subprocess.run([sys.executable, str(script)], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
