"""`jaxpot compare`: several runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jaxpot.cli import options
from jaxpot.cli.output import emit, emit_json, markdown_table, note, table
from jaxpot.errors import UserError
from jaxpot.formatting import printable

if TYPE_CHECKING:
    from jaxpot.views.tables import Table


class At(click.ParamType):
    """`last`, `best`, or an iteration."""

    name = "last|best|ITER"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int:
        """Return an iteration as a number, and the two words as they are."""
        text = str(value)
        if text in ("last", "best"):
            return text
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        return self.fail(f"{text!r} is not `last`, `best` or an iteration, counted from 0")


@click.command("compare")
@options.runs_argument
@options.keys_option("Default: evaluations, losses, iteration/sps.")
@click.option("--all", "every", is_flag=True, help="Compare every key.")
@click.option("--at", type=At(), default="last", show_default=True, help="The value to compare.")
@options.separate_option
@options.json_option("One object: runs, groups, differences, keys.")
@click.option("--markdown", is_flag=True, help="Markdown tables.")
@options.runs_dir_option
def compare_command(
    runs: tuple[str, ...],
    keys: tuple[str, ...],
    every: bool,
    at: str | int,
    separate: bool,
    as_json: bool,
    markdown: bool,
) -> None:
    """Compare runs: how their specs differ, what they reached, and which one is ahead.

    RUN is a uid, the start of one, `latest`, or a name or a tag, which select every run that has
    it. Runs that differ only in their seed form a group, shown as mean and standard error. Which
    group is ahead is given in standard errors of the difference (Welch); single runs have none.

    \b
    Examples:
      jaxpot compare 20261122-101530 20261122-111530
      jaxpot compare baseline wide --keys 'eval_*/win_rate'
      jaxpot compare baseline wide --at 499 --markdown
      jaxpot compare paper --at best --json | jq '.keys[] | {key, best}'
    """
    options.exclude({"--all": every, "--keys": keys})
    options.exclude({"--json": as_json, "--markdown": markdown})
    from jaxpot.views.compare import compare
    from jaxpot.views.tables import comparison_record, tables

    store = options.current_store()
    uids = options.all_uids(store, runs)
    if len(uids) < 2:
        raise UserError(
            f"there is only {uids[0]} to compare; name another run, or a tag of several"
        )
    with store.reading() as connection:
        found = compare(connection, uids, keys=keys, every=every, at=at, separate=separate)
    if as_json:
        emit_json(comparison_record(found))
        return
    emit("\n\n".join(_text(one, markdown=markdown) for one in tables(found)))
    for line in found.notes:
        note(f"note: {line}")


def _text(one: Table, *, markdown: bool) -> str:
    title = f"**{one.title}**" if markdown else one.title
    if not one.rows:
        return f"{title}: {one.empty}"
    if markdown:
        return "\n".join([title, "", *markdown_table(one.headers, one.rows, right=one.right)])
    return printable(table(one.headers, one.rows, right=one.right))
