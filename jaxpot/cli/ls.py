"""`jaxpot ls`: the runs there are."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jaxpot.cli.options import json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text, note, table
from jaxpot.cli.store import current_store

if TYPE_CHECKING:
    from jaxpot.store.reader import RunRow

_COLUMNS = ("uid", "name", "status", "iterations", "attempts", "seed", "started", "tags")


@click.command("ls")
@click.option("-n", "--limit", type=click.IntRange(1), metavar="N", help="Only the newest N.")
@json_option("An array of objects, newest first.")
@runs_dir_option
def command(limit: int | None, as_json: bool) -> None:
    """List runs, newest first.

    \b
    Examples:
      jaxpot ls -n 10
      jaxpot ls --json | jq -r '.[] | select(.status == "failed") | .uid'
    """
    store = current_store()
    rows = store.runs()[:limit]
    if as_json:
        emit(json_text([row._asdict() for row in rows], indent=2))
        return
    if not rows:
        note(f"no runs in {store.runs_dir}")
        return
    emit(_text(rows))
    behind = sum(row.lag_bytes for row in rows)
    if behind:
        note(f"note: {behind} bytes of journals are not in the database yet")


def _text(rows: Sequence[RunRow]) -> str:
    cells = [
        [
            row.uid,
            row.name,
            row.status,
            str(row.iterations),
            str(row.attempts),
            "" if row.seed is None else str(row.seed),
            (row.started or "")[:16].replace("T", " "),
            " ".join(row.tags),
        ]
        for row in rows
    ]
    text = table(_COLUMNS, cells, right=(3, 4, 5))
    if not sys.stdout.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(line[:width] for line in text.splitlines())
