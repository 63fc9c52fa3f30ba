"""`jaxpot note`: what people have to say about runs."""

from __future__ import annotations

import sys
from typing import Any

import click

from jaxpot.cli.completing import RUN
from jaxpot.cli.options import json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text, note
from jaxpot.cli.store import current_store
from jaxpot.errors import UserError
from jaxpot.formatting import printable
from jaxpot.store.annotate import MAX_NOTE

_NOTES = """
SELECT r.uid, r.name, strftime(n.time, '%Y-%m-%dT%H:%M:%S.%fZ'), n.note
FROM notes AS n JOIN runs AS r USING (run_id)
WHERE $1::VARCHAR IS NULL OR r.uid = $1
ORDER BY n.time, r.uid
"""
_COLUMNS = ("uid", "name", "time", "note")


@click.command("note")
@click.argument("run", required=False, type=RUN, metavar="[RUN]")
@click.argument("text", required=False)
@click.option("-e", "--edit", is_flag=True, help="Write the text in $VISUAL or $EDITOR.")
@json_option("An array of {uid, name, time, note}, the oldest first; an added one alone.")
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context, run: str | None, text: str | None, edit: bool, as_json: bool
) -> None:
    """Add a note to RUN, running or not; without TEXT list its notes, without RUN all notes.

    RUN is a run's id or the start of one, a name, a tag, or `latest`. TEXT `-` is read from stdin.
    A note goes into the run's journal, and stays there.

    \b
    Examples:
      jaxpot note latest "entropy collapses after 300; try a slower schedule"
      jaxpot note ttt --edit
      git log -1 | jaxpot note latest -
      jaxpot note ttt
    """
    store = current_store()
    if run is None:
        if edit:
            raise UserError("--edit needs a RUN")
        _list(None, as_json=as_json)
        return
    ref = store.find(run)
    if edit and text is not None:
        raise UserError("--edit and TEXT exclude each other")
    if edit:
        written = click.edit("", extension=".md") or ""
        if not written.strip():
            note("nothing was written: no note added")
            return
    elif text is None:
        _list(ref.uid, as_json=as_json)
        return
    else:
        written = sys.stdin.read(MAX_NOTE + 1) if text == "-" else text
    from jaxpot.store.annotate import note as annotate

    added = annotate(ref, written)
    if as_json:
        emit(json_text([{"uid": ref.uid, "name": ref.name, "note": added}], indent=2))
    else:
        note(f"added to {ref.uid} ({ref.name})")


def _list(uid: str | None, *, as_json: bool) -> None:
    store = current_store()
    with store.reading() as connection:
        found = connection.execute(_NOTES, [uid]).fetchall()
    rows: list[dict[str, Any]] = [dict(zip(_COLUMNS, row, strict=True)) for row in found]
    if as_json:
        emit(json_text(rows, indent=2))
        return
    for row in rows:
        indented = "\n  ".join(printable(line, keep="") for line in row["note"].splitlines())
        when = row["time"][:16].replace("T", " ")
        emit(f"{when}  {row['uid']}  {printable(row['name'], keep='')}\n  {indented}")
    if not rows:
        note(f"no notes in {store.runs_dir if uid is None else uid}")
