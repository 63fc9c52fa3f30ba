"""`jaxpot tag`: words to find runs by."""

from __future__ import annotations

from pathlib import Path

import click

from jaxpot.cli.completing import RUN
from jaxpot.cli.options import json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text, note, table


@click.command("tag")
@click.argument("run", required=False, type=RUN, metavar="[RUN]")
@click.argument("tags", nargs=-1, metavar="[TAG]...")
@click.option("-r", "--remove", multiple=True, metavar="TAG", help="Take a tag away; repeatable.")
@click.option("--every", is_flag=True, help="Every run that RUN means, not only the newest.")
@json_option("What there is now: an array of {uid, name, tags}, or of {tag, runs} without RUN.")
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    run: str | None,
    tags: tuple[str, ...],
    remove: tuple[str, ...],
    every: bool,
    as_json: bool,
) -> None:
    """Tag RUN, running or not, with each TAG; without one list its tags, without RUN all tags.

    RUN is a run's id or the start of one, a name, a tag, or `latest`. A tag is written as a spec's
    are: letters, digits, `.`, `_` and `-`. It goes into the run's journal.

    \b
    Examples:
      jaxpot tag latest baseline
      jaxpot tag latest --remove baseline
      jaxpot tag ttt paper figure-2 --every
      jaxpot tag
      jaxpot ls --tag baseline
    """
    from jaxpot.store.runs import find_all

    runs_dir: Path = ctx.obj["runs_dir"]
    if run is None:
        _list_all(runs_dir, as_json=as_json)
        return
    from jaxpot.store.annotate import check_tag, tag

    for one in tags:
        check_tag(one)
    refs = find_all(runs_dir, [run], every=every)
    changed = [(ref, tag(ref, add=tags, remove=remove)) for ref in refs]
    for ref, change in changed:
        for one in sorted({*tags} - {*change.added}):
            note(f"{ref.uid} has the tag {one} already")
        for one in sorted({*remove} - {*change.removed}):
            note(f"{ref.uid} has no tag {one}")
    rows = [{"uid": ref.uid, "name": ref.name, "tags": [*change.tags]} for ref, change in changed]
    if as_json:
        emit(json_text(rows, indent=2))
        return
    cells = [[ref.uid, ref.name, " ".join(change.tags)] for ref, change in changed]
    emit(table(("uid", "name", "tags"), cells))


def _list_all(runs_dir: Path, *, as_json: bool) -> None:
    from jaxpot.store.runs import journals
    from jaxpot.store.tags import tags_of

    runs: dict[str, list[str]] = {}
    for uid, tags in sorted(tags_of(runs_dir, list(journals(runs_dir))).items()):
        for one in tags:
            runs.setdefault(one, []).append(uid)
    if as_json:
        emit(json_text([{"tag": one, "runs": runs[one]} for one in sorted(runs)], indent=2))
    elif runs:
        cells = [[one, str(len(runs[one])), runs[one][-1]] for one in sorted(runs)]
        emit(table(("tag", "runs", "newest"), cells, right=(1,)))
    else:
        note(f"no tags in {runs_dir}")
