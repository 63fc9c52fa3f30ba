"""`jaxpot tag` and `jaxpot note`: words that people attach to runs."""

from __future__ import annotations

import sys

import click

from jaxpot.cli import options
from jaxpot.cli.completion import RUN
from jaxpot.cli.output import emit, emit_json, note, records_table, table
from jaxpot.errors import UserError
from jaxpot.formatting import printable

_NOTES = """
SELECT r.uid, r.name, strftime(n.time, '%Y-%m-%dT%H:%M:%S.%fZ'), n.note
FROM notes AS n JOIN runs AS r USING (run_id)
WHERE $1::VARCHAR IS NULL OR r.uid = $1
ORDER BY n.time, r.uid
"""


@click.command("tag")
@click.argument("run", required=False, type=RUN, metavar="[RUN]")
@click.argument("tags", nargs=-1, metavar="[TAG]...")
@click.option("-r", "--remove", multiple=True, metavar="TAG", help="Remove a tag; repeatable.")
@options.every_option
@options.json_option("An array of {uid, name, tags}, as they are now; without RUN of {tag, runs}.")
@options.runs_dir_option
def tag_command(
    run: str | None, tags: tuple[str, ...], remove: tuple[str, ...], every: bool, as_json: bool
) -> None:
    """Add each TAG to RUN. Without TAG, list the tags of RUN; without RUN, list all tags.

    RUN is a run's uid or the start of one, a name, a tag, or `latest`; it may be running. A tag
    has letters, digits, `.`, `_` and `-`, as in a spec. Tags are kept in the run's journal.

    \b
    Examples:
      jaxpot tag latest baseline
      jaxpot tag latest --remove baseline
      jaxpot tag ttt paper figure-2 --every
      jaxpot tag
      jaxpot ls --tag baseline
    """
    if run is None:
        _list_tags(as_json=as_json)
        return
    from jaxpot.store.annotate import check_tag, tag
    from jaxpot.store.runs import find_all

    for one in tags:
        check_tag(one)
    refs = find_all(options.current_runs_dir(), [run], every=every)
    changed = [(ref, tag(ref, add=tags, remove=remove)) for ref in refs]
    for ref, change in changed:
        for one in sorted({*tags} - {*change.added}):
            note(f"{ref.uid} already has the tag {one}")
        for one in sorted({*remove} - {*change.removed}):
            note(f"{ref.uid} has no tag {one}")
    rows = [{"uid": ref.uid, "name": ref.name, "tags": [*now.tags]} for ref, now in changed]
    if as_json:
        emit_json(rows)
    else:
        emit(records_table(rows, ("uid", "name", "tags")))


def _list_tags(*, as_json: bool) -> None:
    from jaxpot.store.runs import journals
    from jaxpot.store.tags import tags_of

    runs_dir = options.current_runs_dir()
    runs: dict[str, list[str]] = {}
    for uid, tags in sorted(tags_of(runs_dir, list(journals(runs_dir))).items()):
        for one in tags:
            runs.setdefault(one, []).append(uid)
    found = sorted(runs.items())
    if as_json:
        emit_json([{"tag": one, "runs": uids} for one, uids in found])
    elif found:
        cells = [[one, str(len(uids)), uids[-1]] for one, uids in found]
        emit(table(("tag", "runs", "newest"), cells, right=(1,)))
    else:
        note(f"no tags in {runs_dir}")


@click.command("note")
@click.argument("run", required=False, type=RUN, metavar="[RUN]")
@click.argument("text", required=False)
@click.option("-e", "--edit", is_flag=True, help="Write the text in $VISUAL or $EDITOR.")
@options.json_option("An array of {uid, name, time, note}; after adding, {uid, name, note}.")
@options.runs_dir_option
def note_command(run: str | None, text: str | None, edit: bool, as_json: bool) -> None:
    """Add the note TEXT to RUN. Without TEXT, list the notes of RUN; without RUN, list all notes.

    RUN is a run's uid or the start of one, a name, a tag, or `latest`; it may be running. The TEXT
    `-` reads from stdin. Notes are kept in the run's journal and cannot be removed.

    \b
    Examples:
      jaxpot note latest "entropy collapses after 300; try a slower schedule"
      jaxpot note ttt --edit
      git log -1 | jaxpot note latest -
      jaxpot note ttt
    """
    if run is None:
        if edit:
            raise UserError("--edit needs a RUN")
        _list_notes(None, as_json=as_json)
        return
    options.exclude({"--edit": edit, "TEXT": text is not None})
    from jaxpot.store.annotate import MAX_NOTE
    from jaxpot.store.annotate import note as annotate

    ref = options.current_store().find(run)
    if edit:
        text = click.edit("", extension=".md") or ""
        if not text.strip():
            note("the text is empty: no note added")
            return
    elif text == "-":
        text = sys.stdin.read(MAX_NOTE + 1)
    if text is None:
        _list_notes(ref.uid, as_json=as_json)
        return
    added = annotate(ref, text)
    if as_json:
        emit_json([{"uid": ref.uid, "name": ref.name, "note": added}])
    else:
        note(f"added to {ref.uid} ({ref.name})")


def _list_notes(uid: str | None, *, as_json: bool) -> None:
    store = options.current_store()
    with store.reading() as connection:
        rows = connection.execute(_NOTES, [uid]).fetchall()
    if as_json:
        columns = ("uid", "name", "time", "note")
        emit_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    for run, name, time, text in rows:
        indented = "\n  ".join(printable(line, keep="") for line in text.splitlines())
        when = time[:16].replace("T", " ")
        emit(f"{when}  {run}  {printable(name, keep='')}\n  {indented}")
    if not rows:
        note(f"no notes in {store.runs_dir if uid is None else uid}")
