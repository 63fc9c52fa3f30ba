"""`jaxpot rm`: runs to the trash, and runs deleted for good."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli.completing import RUN
from jaxpot.cli.options import json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text, note, table
from jaxpot.errors import UserError
from jaxpot.formatting import size

if TYPE_CHECKING:
    from jaxpot.store.runs import RunRef
    from jaxpot.store.trash import Trashed

_COLUMNS = ("uid", "name", "path", "bytes")


@click.command("rm")
@click.argument("runs", nargs=-1, type=RUN, metavar="[RUN]...")
@click.option("--every", is_flag=True, help="Every run that a RUN means, not only the newest.")
@click.option("--purge", is_flag=True, help="Delete for good; without RUN, all of the trash.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("-y", "--yes", is_flag=True, help="With --purge: do not ask.")
@click.option("-f", "--force", is_flag=True, help="With --purge: even what other runs need.")
@json_option("An array of {uid, name, path, bytes}; bytes is what deleting it frees.")
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    runs: tuple[str, ...],
    every: bool,
    purge: bool,
    dry_run: bool,
    yes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Move each RUN to the trash, from where `jaxpot restore` brings it back.

    RUN is a run's id or the start of one, a name, a tag, or `latest`. One that is running is
    refused. With --purge a RUN is deleted for good, also one in the trash; without RUN all of the
    trash is. That is asked first.

    \b
    Examples:
      jaxpot rm latest
      jaxpot rm sweep-7 --every --dry-run
      jaxpot rm latest --purge
      jaxpot rm --purge --yes
    """
    runs_dir: Path = ctx.obj["runs_dir"]
    if not runs and not purge:
        raise UserError("name a RUN; `jaxpot rm --purge` alone empties the trash")
    here, lying = _named(runs_dir, runs, every=every, purge=purge)
    rows = [_row(run) for run in (*here, *lying)]
    _refuse_running(here)
    _judge_needs(
        runs_dir, [run.uid for run in here], [run.uid for run in lying], purge and not force
    )
    if not purge:
        _trash(runs_dir, here, rows, dry_run=dry_run, as_json=as_json)
        return
    from jaxpot.store.trash import freed_bytes, leftovers, remove
    from jaxpot.store.trash import purge as delete

    doomed = [*(run.path for run in (*here, *lying)), *leftovers(runs_dir)]
    if not doomed:
        note(f"the trash of {runs_dir} is empty")
    elif dry_run:
        note(f"{_runs(rows)} would be deleted for good, {size(freed_bytes(doomed))} freed")
    else:
        _confirm(f"delete {_runs(rows)} for good ({size(freed_bytes(doomed))})?", yes=yes)
        freed = delete(runs_dir, [*(remove(runs_dir, run) for run in here), *lying])
        note(f"deleted for good: {_runs(rows)}, {size(freed)} freed")
    _show(rows, as_json=as_json)


def _named(
    runs_dir: Path, words: Sequence[str], *, every: bool, purge: bool
) -> tuple[list[RunRef], list[Trashed]]:
    """Returns the runs that are meant: those in their place, and those in the trash."""
    from jaxpot.store.runs import find_all
    from jaxpot.store.trash import find_trashed, trashed

    if not purge:
        return find_all(runs_dir, words, every=every), []
    if not words:
        return [], trashed(runs_dir)
    here: dict[str, RunRef] = {}
    lying: dict[Path, Trashed] = {}
    for word in words:
        try:
            here.update((ref.uid, ref) for ref in find_all(runs_dir, [word], every=every))
        except UserError as missing:
            if not trashed(runs_dir):
                raise
            try:
                run = find_trashed(runs_dir, word)
            except UserError as error:
                raise UserError(f"{missing}\n{error}") from error
            lying[run.path] = run
    return list(here.values()), list(lying.values())


def _refuse_running(refs: Sequence[RunRef]) -> None:
    from jaxpot.store.runs import is_running

    running = [ref for ref in refs if is_running(ref.path)]
    if running:
        listed = ", ".join(f"{ref.uid} ({ref.name})" for ref in running)
        raise UserError(f"still running: {listed}; stop it first, nothing was removed")


def _judge_needs(runs_dir: Path, here: list[str], lying: list[str], refuse: bool) -> None:
    """Says which other runs lose something; refuses that where it would be for good."""
    from jaxpot.store.trash import needing, what_breaks

    found = needing(runs_dir, {*here, *lying})
    if not found:
        return
    if refuse:
        raise UserError(f"{what_breaks(found)}\nNothing was deleted; --force deletes it anyway")
    note(f"note: {what_breaks(found)}")


def _trash(
    runs_dir: Path,
    refs: Sequence[RunRef],
    rows: list[dict[str, Any]],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    from jaxpot.store.trash import TRASH_NAME, remove

    trash = runs_dir / TRASH_NAME
    if dry_run:
        _show(rows, as_json=as_json)
        note(f"{_runs(rows)} would be moved to {trash}")
        return
    moved = [remove(runs_dir, ref) for ref in refs]
    _show(
        [{**row, "path": str(run.path)} for row, run in zip(rows, moved, strict=True)],
        as_json=as_json,
    )
    note(f"moved to {trash}: {_runs(rows)}; `jaxpot rm --purge` deletes what lies there")
    for run in moved:
        note(f"to have it back: jaxpot restore {run.uid}")


def _row(run: RunRef | Trashed) -> dict[str, Any]:
    from jaxpot.store.trash import freed_bytes

    values = (run.uid, run.name, str(run.path), freed_bytes([run.path]))
    return dict(zip(_COLUMNS, values, strict=True))


def _show(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        emit(json_text(list(rows), indent=2))
    elif rows:
        cells = [[row["uid"], row["name"], row["path"], size(row["bytes"])] for row in rows]
        emit(table(_COLUMNS, cells, right=(3,)))


def _runs(rows: Sequence[object]) -> str:
    return "1 run" if len(rows) == 1 else f"{len(rows)} runs"


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{question} Add --yes; nothing was deleted")
    click.confirm(question, abort=True, err=True)
