"""`jaxpot restore`: runs back from the trash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jaxpot.cli.options import json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text, note, table
from jaxpot.formatting import size

if TYPE_CHECKING:
    from jaxpot.store.trash import Trashed

_COLUMNS = ("uid", "name", "removed", "bytes")


@click.command("restore")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@json_option("An array of {uid, name, path}; without RUN, of {uid, name, removed, bytes, path}.")
@runs_dir_option
@click.pass_context
def command(ctx: click.Context, runs: tuple[str, ...], as_json: bool) -> None:
    """Bring each RUN back from the trash; without RUN, list what is in it.

    RUN is a run's id or the start of one, a name, or `latest`, the one that was removed last.

    \b
    Examples:
      jaxpot restore
      jaxpot restore latest
    """
    from jaxpot.store.trash import find_trashed, restore, trashed

    runs_dir: Path = ctx.obj["runs_dir"]
    if not runs:
        _list(trashed(runs_dir), runs_dir, as_json=as_json)
        return
    found = {run.path: run for run in (find_trashed(runs_dir, word) for word in runs)}
    refs = [restore(runs_dir, run) for run in found.values()]
    if as_json:
        rows = [{"uid": ref.uid, "name": ref.name, "path": str(ref.path)} for ref in refs]
        emit(json_text(rows, indent=2))
    for ref in refs:
        note(f"restored {ref.uid} ({ref.name})")


def _list(runs: Sequence[Trashed], runs_dir: Path, *, as_json: bool) -> None:
    from datetime import UTC, datetime

    from jaxpot.store.trash import freed_bytes

    rows = []
    for run in runs:
        removed = datetime.fromtimestamp(run.removed, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        values = (run.uid, run.name, removed, freed_bytes([run.path]))
        rows.append({**dict(zip(_COLUMNS, values, strict=True)), "path": str(run.path)})
    if as_json:
        emit(json_text(rows, indent=2))
    elif rows:
        cells = [
            [row["uid"], row["name"], row["removed"][:16].replace("T", " "), size(row["bytes"])]
            for row in rows
        ]
        emit(table(_COLUMNS, cells, right=(3,)))
    else:
        note(f"the trash of {runs_dir} is empty")
