"""Write runs to disk and call commands on them."""

from __future__ import annotations

from pathlib import Path

from click import Command
from click.testing import CliRunner, Result

from tests.store.journals import START, Writer, complete_run


def two_runs(runs_dir: Path) -> None:
    """Write a complete run, and a newer one that was killed and resumed."""
    complete_run(runs_dir, "20261122-101530-aaaaaa")
    run = Writer(runs_dir, "20261122-111530-bbbbbb", name="other", start=START + 3600)
    run.header(tags=[], seed=7)
    run.start()
    run.payloads(range(8))
    run.start(5)
    run.payload(5, {"total_loss": "NaN", "iteration/sps": "Infinity"})
    run.raw(b"garbage\n")


def call(command: Command, runs_dir: Path, *arguments: str, stdin: str | None = None) -> Result:
    """Call a command as `jaxpot --runs-dir ...` does."""
    return CliRunner().invoke(command, arguments, obj={"runs_dir": runs_dir}, input=stdin)
