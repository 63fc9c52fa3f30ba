"""Print pip constraints: each dependency of pyproject.toml at the oldest version that it allows."""

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
BOUND = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)>=(?P<oldest>[0-9.]+)")


def main() -> int:
    """Print one line a dependency, but for jaxpot's own extras; fail if one has no lower bound."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    # Development tools are pinned by constraints.txt alone: jaxpot runs without them.
    named = project["dependencies"] + [line for extra in extras.values() for line in extra]
    for requirement in sorted({line for line in named if not line.startswith("jaxpot[")}):
        found = BOUND.match(requirement)
        if found is None:
            print(f"{requirement}: no lower bound", file=sys.stderr)
            return 1
        print(f"{found['name']}=={found['oldest']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
