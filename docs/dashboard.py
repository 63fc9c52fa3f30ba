"""Draws `docs/dashboard.svg`, the picture in README: the live display in a real run of a spec.

    python docs/dashboard.py [SPEC [ITERATION]]

SPEC is a path from the repository's root. The picture is of ITERATION (230 of specs/ttt.toml); the
run goes to a temporary folder.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from jaxpot.loop import run as runner
from jaxpot.spec import load
from jaxpot.views.dashboard import Dashboard

ROOT = Path(__file__).parent.parent
WIDTH, HEIGHT = 82, 30


class Picture(Dashboard):
    """A dashboard that draws one picture of itself, at an iteration, and is closed otherwise."""

    def __init__(self, spec: str, iteration: int) -> None:
        console = Console(file=io.StringIO(), record=True, width=WIDTH, height=HEIGHT)
        super().__init__(console, live=False)
        self._spec, self._iteration = spec, iteration
        self.svg = ""

    def payload(self, payload: Mapping[str, float | int]) -> None:
        """Takes a payload; draws when it is the one that was asked for."""
        super().payload(payload)
        if self.progress.done == self._iteration:
            self.console.print(self)
            svg = self.console.export_svg(
                title=f"jaxpot run {self._spec}", theme=MONOKAI, unique_id="dashboard"
            )
            # A picture should fetch nothing: any monospaced font will do.
            self.svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def main() -> None:
    """Runs the spec and writes the picture."""
    spec = sys.argv[1] if len(sys.argv) > 1 else "specs/ttt.toml"
    picture = Picture(spec, int(sys.argv[2]) if len(sys.argv) > 2 else 230)
    with tempfile.TemporaryDirectory() as runs_dir:
        runner.run(load(ROOT / spec), runs_dir=Path(runs_dir), observer=picture, ingest=False)
    (ROOT / "docs" / "dashboard.svg").write_text(picture.svg, encoding="utf-8")


if __name__ == "__main__":
    main()
