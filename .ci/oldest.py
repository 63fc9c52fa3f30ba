"""Print pip constraints: each runtime dependency at the oldest version that is allowed."""

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
BOUND = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)>=(?P<oldest>[0-9.]+)")


def main() -> int:
    """Print one line a dependency; fail if one has no lower bound."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        found = BOUND.match(requirement)
        if found is None:
            print(f"{requirement}: no lower bound", file=sys.stderr)
            return 1
        print(f"{found['name']}=={found['oldest']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
