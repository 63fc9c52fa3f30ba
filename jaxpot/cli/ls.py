"""`jaxpot ls`: list runs."""

from __future__ import annotations

import shutil
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from jaxpot.cli import options
from jaxpot.cli.output import emit, emit_json, note, records_table

if TYPE_CHECKING:
    from jaxpot.store.reader import RunRow

_COLUMNS = ("uid", "name", "status", "iterations", "attempts", "seed", "started", "tags")
_STATUSES = ("running", "completed", "gate_missed", "stopped", "failed", "interrupted")


@click.command("ls")
@click.option("-n", "--limit", type=click.IntRange(1), metavar="N", help="Only the newest N.")
@click.option(
    "-t", "--tag", "tags", multiple=True, help="Only with this tag; repeat to require several."
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(_STATUSES),
    help="Only with this status; repeatable.",
)
@click.option("--name", metavar="GLOB", help="Only with this name, as in 'ttt*'.")
@click.option(
    "--spec", metavar="DIGEST", help="Only with this spec or training digest; a start is enough."
)
@options.json_option("An array of objects, newest first.")
@options.runs_dir_option
def ls_command(
    limit: int | None,
    tags: tuple[str, ...],
    statuses: tuple[str, ...],
    name: str | None,
    spec: str | None,
    as_json: bool,
) -> None:
    """List runs, newest first.

    \b
    Examples:
      jaxpot ls -n 10
      jaxpot ls --tag baseline --status completed
      jaxpot ls --name 'ttt*'
      jaxpot ls --json | jq -r '.[] | select(.status == "failed") | .uid'
    """
    store = options.current_store()
    rows = [
        row
        for row in store.runs()
        if set(tags) <= set(row.tags)
        and (not statuses or row.status in statuses)
        and (name is None or fnmatchcase(row.name, name))
        and (spec is None or _has_digest(row, spec))
    ][:limit]
    records = [row._asdict() for row in rows]
    if as_json:
        emit_json(records)
        return
    if not rows:
        chosen = " like that" if tags or statuses or name or spec else ""
        note(f"no runs{chosen} in {store.runs_dir}")
        return
    text = records_table(records, _COLUMNS)
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        text = "\n".join(line[:width] for line in text.splitlines())
    emit(text)
    lag = sum(row.lag_bytes for row in rows)
    if lag:
        note(f"note: {lag} bytes of journals are not in the database yet")


def _has_digest(row: RunRow, start: str) -> bool:
    digests = row.spec_digest, row.training_digest
    return any(digest is not None and digest.startswith(start) for digest in digests)
