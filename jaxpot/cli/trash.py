"""`jaxpot rm` and `jaxpot restore`: runs to the trash and back, or deleted for good."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from jaxpot.cli import options
from jaxpot.cli.output import emit, emit_json, note, records_table
from jaxpot.errors import UserError
from jaxpot.formatting import plural, size
from jaxpot.store import trash
from jaxpot.store.runs import RunRef, find_all, is_running
from jaxpot.store.trash import freed_bytes, needing, what_breaks

_COLUMNS = ("uid", "name", "path", "bytes")


@click.command("rm")
@options.optional_runs_argument
@options.every_option
@click.option("--purge", is_flag=True, help="Delete for good; without RUN, empty the trash.")
@click.option("-n", "--dry-run", is_flag=True, help="Only print what would be done.")
@click.option("-y", "--yes", is_flag=True, help="With --purge: do not ask.")
@click.option("-f", "--force", is_flag=True, help="With --purge: even if other runs need it.")
@options.json_option("An array of {uid, name, path, bytes}; bytes is what deleting the run frees.")
@options.runs_dir_option
def rm_command(
    runs: tuple[str, ...],
    every: bool,
    purge: bool,
    dry_run: bool,
    yes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Move each RUN to the trash; `jaxpot restore` brings it back.

    RUN is a run's uid or the start of one, a name, a tag, or `latest`. A run that is still running
    is refused. --purge deletes each RUN for good, even from the trash, and empties the trash if no
    RUN is given. It asks first.

    \b
    Examples:
      jaxpot rm latest
      jaxpot rm sweep-7 --every --dry-run
      jaxpot rm latest --purge
      jaxpot rm --purge --yes
    """
    runs_dir = options.current_runs_dir()
    if not runs and not purge:
        raise UserError("name a RUN; `jaxpot rm --purge` alone empties the trash")
    if purge:
        present, trashed = _named_anywhere(runs_dir, runs, every=every)
    else:
        present, trashed = find_all(runs_dir, runs, every=every), []
    if running := [f"{ref.uid} ({ref.name})" for ref in present if is_running(ref.path)]:
        raise UserError(f"still running: {', '.join(running)}; stop it first, nothing was removed")
    named = [*present, *trashed]
    needed = needing(runs_dir, {run.uid for run in named})
    if needed and purge and not force:
        raise UserError(f"{what_breaks(needed)}\nNothing was deleted; --force deletes it anyway")
    if needed:
        note(f"note: {what_breaks(needed)}")
    rows = [
        {"uid": run.uid, "name": run.name, "path": run.path, "bytes": freed_bytes([run.path])}
        for run in named
    ]
    if purge:
        _purge(runs_dir, present, trashed, dry_run=dry_run, yes=yes)
        _show(rows, *_COLUMNS, as_json=as_json)
    elif dry_run:
        _show(rows, *_COLUMNS, as_json=as_json)
        note(f"{plural(len(rows), 'run')} would be moved to {runs_dir / trash.TRASH_NAME}")
    else:
        moved = [trash.remove(runs_dir, ref) for ref in present]
        for row, run in zip(rows, moved, strict=True):
            row["path"] = run.path
        _show(rows, *_COLUMNS, as_json=as_json)
        place = runs_dir / trash.TRASH_NAME
        note(f"moved {plural(len(rows), 'run')} to {place}; `jaxpot rm --purge` empties it")
        for run in moved:
            note(f"to undo this: jaxpot restore {run.uid}")


@click.command("restore")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@options.json_option("An array of {uid, name, path}; the list has removed and bytes too.")
@options.runs_dir_option
def restore_command(runs: tuple[str, ...], as_json: bool) -> None:
    """Bring each RUN back from the trash. Without RUN, list the trash.

    RUN is a run's uid or the start of one, a name, or `latest`, the run removed last.

    \b
    Examples:
      jaxpot restore
      jaxpot restore latest
    """
    runs_dir = options.current_runs_dir()
    if not runs:
        _list_trash(runs_dir, as_json=as_json)
        return
    found = {run.path: run for run in (trash.find_trashed(runs_dir, word) for word in runs)}
    refs = [trash.restore(runs_dir, run) for run in found.values()]
    if as_json:
        emit_json([{"uid": ref.uid, "name": ref.name, "path": ref.path} for ref in refs])
    for ref in refs:
        note(f"restored {ref.uid} ({ref.name})")


def _named_anywhere(
    runs_dir: Path, words: Sequence[str], *, every: bool
) -> tuple[list[RunRef], list[trash.Trashed]]:
    """Find runs by words, outside the trash and then in it. No words: everything in the trash."""
    in_trash = trash.trashed(runs_dir)
    if not words:
        return [], in_trash
    present: dict[str, RunRef] = {}
    trashed: dict[Path, trash.Trashed] = {}
    for word in words:
        try:
            present.update((ref.uid, ref) for ref in find_all(runs_dir, [word], every=every))
        except UserError as missing:
            if not in_trash:
                raise
            try:
                run = trash.find_trashed(runs_dir, word)
            except UserError as error:
                raise UserError(f"{missing}\n{error}") from error
            trashed[run.path] = run
    return list(present.values()), list(trashed.values())


def _purge(
    runs_dir: Path,
    present: Sequence[RunRef],
    trashed: Sequence[trash.Trashed],
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    named = [*present, *trashed]
    count = plural(len(named), "run")
    doomed = [*(run.path for run in named), *trash.leftovers(runs_dir)]
    if not doomed:
        note(f"the trash of {runs_dir} is empty")
        return
    amount = size(freed_bytes(doomed))
    if dry_run:
        note(f"{count} would be deleted for good, {amount} freed")
        return
    question = f"delete {count} for good ({amount})?"
    if not yes and not sys.stdin.isatty():
        raise UserError(f"{question} Add --yes; nothing was deleted")
    if not yes:
        click.confirm(question, abort=True, err=True)
    freed = trash.purge(runs_dir, [*(trash.remove(runs_dir, run) for run in present), *trashed])
    note(f"deleted for good: {count}, {size(freed)} freed")


def _show(rows: Sequence[dict[str, Any]], *columns: str, as_json: bool) -> None:
    if as_json:
        emit_json(rows)
    elif rows:
        emit(records_table(rows, columns))


def _list_trash(runs_dir: Path, *, as_json: bool) -> None:
    rows = [
        {
            "uid": run.uid,
            "name": run.name,
            "removed": datetime.fromtimestamp(run.removed, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "bytes": freed_bytes([run.path]),
            "path": run.path,
        }
        for run in trash.trashed(runs_dir)
    ]
    _show(rows, "uid", "name", "removed", "bytes", as_json=as_json)
    if not rows and not as_json:
        note(f"the trash of {runs_dir} is empty")
