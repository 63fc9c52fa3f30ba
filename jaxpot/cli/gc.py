"""`jaxpot gc`: what can be deleted without loss."""

from __future__ import annotations

import re
import time
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
    from jaxpot.store.garbage import Plan
    from jaxpot.store.runs import RunRef

_COLUMNS = ("run", "iteration", "bytes", "path", "reason")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@click.command("gc")
@click.argument("runs", nargs=-1, type=RUN, metavar="[RUN]...")
@click.option(
    "--keep-last",
    type=click.IntRange(1),
    metavar="K",
    help="Of periodic checkpoints only the newest K of each run stay.",
)
@click.option(
    "--older-than",
    metavar="SPAN",
    help="Only periodic checkpoints that are older go: 30d, 12h, 2w.",
)
@click.option("--apply", "is_applied", is_flag=True, help="Delete; without it nothing is.")
@json_option("An object: {applied, bytes, findings, skipped}.")
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    runs: tuple[str, ...],
    keep_last: int | None,
    older_than: str | None,
    is_applied: bool,
    as_json: bool,
) -> None:
    """Show what can be deleted without loss, of all runs or of each RUN; --apply deletes it.

    That is: what killed saves, deletions and imports left, checkpoints that are there though their
    journal says they were deleted, and best ones that are not among the best. With --keep-last or
    --older-than, old periodic, final and emergency checkpoints too; with both, what is both.

    Milestones, the best ones, the newest whole checkpoint, those that another run started from or
    plays against, and all of a running run stay. RUN is a run's id or the start of one, a name or
    a tag (all its runs), or `latest`.

    \b
    Examples:
      jaxpot gc
      jaxpot gc --keep-last 1 --older-than 30d
      jaxpot gc sweep-7 --keep-last 1 --apply
    """
    from jaxpot.store.garbage import Rule, apply, plan

    runs_dir: Path = ctx.obj["runs_dir"]
    before = None if older_than is None else time.time() - _seconds(older_than)
    rule = Rule(keep_last=keep_last, created_before=before)
    act = apply if is_applied else plan
    found = act(runs_dir, _chosen(runs_dir, runs), rule, everywhere=not runs)
    rows = [_row(finding) for finding in found.findings]
    if as_json:
        record = {"applied": is_applied, "bytes": found.bytes, "findings": rows}
        emit(json_text({**record, "skipped": found.skipped}, indent=2))
        return
    _show(found, rows, runs_dir, is_applied=is_applied)
    if not runs:
        _tell_trash(runs_dir)


def _tell_trash(runs_dir: Path) -> None:
    from jaxpot.store.trash import freed_bytes, trashed

    lying = trashed(runs_dir)
    if lying:
        held = f"{len(lying)} {'run' if len(lying) == 1 else 'runs'}"
        amount = size(freed_bytes(run.path for run in lying))
        note(f"the trash holds {held}, {amount}: `jaxpot rm --purge` deletes them")


def _chosen(runs_dir: Path, words: Sequence[str]) -> list[RunRef]:
    from jaxpot.store.runs import find_all, journals

    if words:
        return find_all(runs_dir, words, every=True)
    uids = sorted(file.uid for file in journals(runs_dir))
    return find_all(runs_dir, uids) if uids else []


def _row(finding: Any) -> dict[str, Any]:
    values = (finding.uid, finding.iteration, finding.bytes, str(finding.path), finding.reason)
    return dict(zip(_COLUMNS, values, strict=True))


def _show(found: Plan, rows: Sequence[dict[str, Any]], runs_dir: Path, *, is_applied: bool) -> None:
    for line in found.skipped:
        note(f"note: {line}")
    if not rows:
        note(f"nothing to delete in {runs_dir}")
        return
    cells = [
        [
            row["run"] or "",
            "" if row["iteration"] is None else str(row["iteration"]),
            size(row["bytes"]),
            row["path"],
            row["reason"],
        ]
        for row in rows
    ]
    emit(table(_COLUMNS, cells, right=(1, 2)))
    if is_applied:
        note(f"deleted {len(rows)}, {size(found.bytes)} freed")
    else:
        note(f"{size(found.bytes)} would be freed; nothing is deleted without --apply")


def _seconds(text: str) -> float:
    """Reads a time span such as `30d`, `12h` or `1.5w`.

    Raises:
        UserError: it is none.
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhdw])", text)
    if match is None:
        raise UserError(f"{text!r} is no time span; write a number and s, m, h, d or w, as in 30d")
    return float(match[1]) * _SECONDS[match[2]]
