"""`jaxpot rebuild`: the database made again from the journals."""

from __future__ import annotations

import time

import click

from jaxpot.cli.options import runs_dir_option
from jaxpot.cli.output import note
from jaxpot.cli.store import current_store


@click.command("rebuild")
@runs_dir_option
def command() -> None:
    """Make the database again from the runs' journals.

    \b
    Examples:
      jaxpot rebuild
      jaxpot rebuild --runs-dir elsewhere

    Every row derives from the journals, so nothing is lost; the old database stays readable
    until the new one takes its place. Use it where the database is damaged, missing, or was made
    by another version of jaxpot.
    """
    store = current_store()
    began = time.monotonic()
    report = store.rebuild()
    for line in report.notices():
        note(f"note: {line}")
    seconds = time.monotonic() - began
    note(f"{store.path}: {report.runs} runs, {report.points} points, in {seconds:.1f} s")
