"""`jaxpot ls`: the runs there are."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from jaxpot.cli.options import json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text, note, table
from jaxpot.cli.store import current_store

if TYPE_CHECKING:
    from jaxpot.store.reader import RunRow

_COLUMNS = ("uid", "name", "status", "iterations", "attempts", "seed", "started", "tags")
_STATUSES = ("running", "completed", "gate_missed", "stopped", "failed", "interrupted")


@click.command("ls")
@click.option("-n", "--limit", type=click.IntRange(1), metavar="N", help="Only the newest N.")
@click.option("-t", "--tag", "tags", multiple=True, help="With that tag; repeated: with each.")
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice(_STATUSES), help="Repeatable."
)
@click.option("--name", metavar="GLOB", help="Of that name, as in 'ttt*'.")
@click.option("--spec", metavar="DIGEST", help="Whose spec_digest or training_digest starts so.")
@json_option("An array of objects, newest first.")
@runs_dir_option
def command(
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
    store = current_store()
    rows = [
        row
        for row in store.runs()
        if set(tags) <= set(row.tags)
        and (not statuses or row.status in statuses)
        and (name is None or fnmatchcase(row.name, name))
        and (spec is None or _starts(spec, row.spec_digest, row.training_digest))
    ][:limit]
    if as_json:
        emit(json_text([row._asdict() for row in rows], indent=2))
        return
    if not rows:
        chosen = " like that" if tags or statuses or name or spec else ""
        note(f"no runs{chosen} in {store.runs_dir}")
        return
    emit(_text(rows))
    behind = sum(row.lag_bytes for row in rows)
    if behind:
        note(f"note: {behind} bytes of journals are not in the database yet")


def _starts(start: str, *digests: str | None) -> bool:
    return any(digest is not None and digest.startswith(start) for digest in digests)


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
