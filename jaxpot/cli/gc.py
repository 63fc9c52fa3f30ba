"""`jaxpot gc`: find checkpoints and files that are safe to delete."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli import options
from jaxpot.cli.output import emit, emit_json, note, records_table
from jaxpot.errors import UserError
from jaxpot.formatting import plural, size

if TYPE_CHECKING:
    from jaxpot.store.garbage import Plan

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@click.command("gc")
@options.optional_runs_argument
@click.option(
    "--keep-last",
    type=click.IntRange(1),
    metavar="K",
    help="Also delete all but the newest K periodic checkpoints of each run.",
)
@click.option(
    "--older-than",
    metavar="SPAN",
    help="Also delete periodic checkpoints older than this: 30d, 12h, 2w.",
)
@click.option("--apply", "is_applied", is_flag=True, help="Delete; otherwise only list.")
@options.json_option("An object: {applied, bytes, findings, skipped}.")
@options.runs_dir_option
def gc_command(
    runs: tuple[str, ...],
    keep_last: int | None,
    older_than: str | None,
    is_applied: bool,
    as_json: bool,
) -> None:
    """Show what is safe to delete, in all runs or in each RUN; --apply deletes it.

    Always safe are files left by killed saves, deletions and imports, checkpoints that the journal
    says were deleted, and `best` checkpoints that are no longer among the best. --keep-last and
    --older-than add old periodic, final and emergency checkpoints; with both, a checkpoint must
    meet both.

    Never deleted are milestones, the best checkpoints, the newest complete checkpoint, checkpoints
    that another run started from or plays against, and anything of a run that is running. RUN is a
    run's uid or the start of one, a name or a tag (all its runs), or `latest`.

    \b
    Examples:
      jaxpot gc
      jaxpot gc --keep-last 1 --older-than 30d
      jaxpot gc sweep-7 --keep-last 1 --apply
    """
    from jaxpot.store.garbage import Rule, apply, plan
    from jaxpot.store.runs import find_all, journals

    runs_dir = options.current_runs_dir()
    before = None if older_than is None else time.time() - _seconds(older_than)
    words = runs or sorted(file.uid for file in journals(runs_dir))
    refs = find_all(runs_dir, words, every=True) if words else []
    rule = Rule(keep_last=keep_last, created_before=before)
    found = (apply if is_applied else plan)(runs_dir, refs, rule, everywhere=not runs)
    rows = [
        {
            "run": one.uid,
            "iteration": one.iteration,
            "bytes": one.bytes,
            "path": one.path,
            "reason": one.reason,
        }
        for one in found.findings
    ]
    if as_json:
        summary = {"applied": is_applied, "bytes": found.bytes}
        emit_json({**summary, "findings": rows, "skipped": found.skipped})
        return
    _show(found, rows, is_applied=is_applied)
    if not runs:
        _mention_trash()


def _show(found: Plan, rows: list[dict[str, Any]], *, is_applied: bool) -> None:
    for line in found.skipped:
        note(f"note: {line}")
    if not rows:
        note(f"nothing to delete in {options.current_runs_dir()}")
        return
    emit(records_table(rows, tuple(rows[0])))
    if is_applied:
        note(f"deleted {len(rows)}, {size(found.bytes)} freed")
    else:
        note(f"{size(found.bytes)} would be freed; nothing is deleted without --apply")


def _mention_trash() -> None:
    from jaxpot.store.trash import freed_bytes, trashed

    if removed := trashed(options.current_runs_dir()):
        amount = size(freed_bytes(run.path for run in removed))
        count = plural(len(removed), "run")
        note(f"the trash holds {count}, {amount}: `jaxpot rm --purge` deletes them")


def _seconds(text: str) -> float:
    """Read a time span such as `30d`, `12h` or `1.5w`.

    Raises:
        UserError: The text is not a time span.
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhdw])", text)
    if match is None:
        raise UserError(f"{text!r} is no time span; write a number and s, m, h, d or w, as in 30d")
    return float(match[1]) * _SECONDS[match[2]]
