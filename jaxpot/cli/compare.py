"""`jaxpot compare`: several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jaxpot import formatting as words
from jaxpot.cli.options import json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text, table
from jaxpot.cli.several import chosen, keys_option, runs_argument, separate_option, tell
from jaxpot.cli.store import current_store
from jaxpot.errors import UserError

if TYPE_CHECKING:
    from jaxpot.views.compare import Comparison
    from jaxpot.views.tables import Table


class At(click.ParamType):
    """`last`, `best`, or an iteration."""

    name = "last|best|ITER"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int:
        """Gives an iteration as a number."""
        text = str(value)
        if text in ("last", "best"):
            return text
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        return self.fail(f"{text!r} is not `last`, `best` or an iteration, counted from 0")


@click.command("compare")
@runs_argument
@keys_option("Without it: evaluations, losses, iteration/sps.")
@click.option("--all", "every", is_flag=True, help="Compare every key.")
@click.option("--at", type=At(), default="last", show_default=True, help="Which value counts.")
@separate_option
@json_option("One object: runs, groups, differences, keys.")
@click.option("--markdown", is_flag=True, help="Markdown tables.")
@runs_dir_option
def command(
    runs: tuple[str, ...],
    keys: tuple[str, ...],
    every: bool,
    at: str | int,
    separate: bool,
    as_json: bool,
    markdown: bool,
) -> None:
    """Compare runs: what their specs say differently, what they reached, who is ahead.

    RUN is a uid, the start of one, `latest`, or a name or a tag: these mean every run that has it.
    Runs that train alike but for their seed are taken together, as mean and standard error. Who is
    ahead is told in standard errors of the difference (Welch); single runs have none.

    \b
    Examples:
      jaxpot compare 20261122-101530 20261122-111530
      jaxpot compare baseline wide --keys 'eval_*/win_rate'
      jaxpot compare baseline wide --at 499 --markdown
      jaxpot compare paper --at best --json | jq '.keys[] | {key, best}'
    """
    if every and keys:
        raise click.UsageError("--all and --keys exclude each other")
    if as_json and markdown:
        raise click.UsageError("--json and --markdown exclude each other")
    from jaxpot.views.compare import compare
    from jaxpot.views.tables import comparison_record

    store = current_store()
    uids = chosen(store, runs)
    if len(uids) < 2:
        raise UserError(
            f"there is only {uids[0]} to compare; name another run, or a tag of several"
        )
    with store.reading() as connection:
        found = compare(connection, uids, keys=keys, every=every, at=at, separate=separate)
    if as_json:
        emit(json_text(comparison_record(found), indent=2))
        return
    emit("\n\n".join(_lay_out(found, markdown=markdown)))
    tell(found.notes)


def _lay_out(found: Comparison, *, markdown: bool) -> list[str]:
    from jaxpot.views.tables import tables

    return [_markdown(one) if markdown else _plain(one) for one in tables(found)]


def _plain(one: Table) -> str:
    if not one.rows:
        return f"{one.title}: {one.empty}"
    return words.printable(table(one.headers, one.rows, right=one.right))


def _markdown(one: Table) -> str:
    if not one.rows:
        return f"**{one.title}**: {one.empty}"
    marks = ["---:" if column in one.right else "---" for column in range(len(one.headers))]
    lines = [_cells(one.headers), f"|{'|'.join(marks)}|", *map(_cells, one.rows)]
    return "\n".join([f"**{one.title}**", "", *lines])


def _cells(cells: Sequence[str]) -> str:
    escaped = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(escaped)} |"
