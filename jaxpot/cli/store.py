"""What the commands that read the store share."""

from __future__ import annotations

import click

from jaxpot.cli.output import note
from jaxpot.store.reader import Store


def current_store() -> Store:
    """Give the store of the runs directory that the command line names; it tells stderr."""
    options = click.get_current_context().find_root().obj
    return Store(options["runs_dir"], notify=lambda line: note(f"note: {line}"))
