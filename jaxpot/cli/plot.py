"""`jaxpot plot`: learning curves as a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jaxpot.cli.options import UserPath, runs_dir_option
from jaxpot.cli.output import emit, note
from jaxpot.cli.several import (
    chosen,
    keys_option,
    runs_argument,
    separate_option,
    tell,
    x_axis_option,
)
from jaxpot.cli.store import current_store
from jaxpot.errors import UserError
from jaxpot.paths import write_output
from jaxpot.views.sections import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxpot.views.curves import Curve

_FORMS = (".png", ".svg", ".html")
_MOST_SMOOTHED = 1_000_000
_HEIGHT = 12
_FILE_COLUMNS = 800
_PAGE_COLUMNS = 200
_MOST_CHARTS = 60


@click.command("plot")
@runs_argument
@keys_option("Each has a chart of its own.", required=True)
@click.option(
    "-o",
    "--output",
    type=UserPath(dir_okay=False),
    help="Write FILE.png, FILE.svg or FILE.html; without it the terminal shows the curves.",
)
@x_axis_option
@click.option(
    "--smooth",
    type=click.IntRange(1, _MOST_SMOOTHED),
    default=1,
    metavar="N",
    help="Draw the mean of the newest N points.",
)
@click.option(
    "--band",
    type=click.Choice(["error", "range", "none"]),
    default="error",
    show_default=True,
    help="Around a mean over seeds: its standard error, the extremes, or nothing.",
)
@click.option("--log-y", is_flag=True, help="A logarithmic axis; what is not positive is a gap.")
@separate_option
@runs_dir_option
def command(
    runs: tuple[str, ...],
    keys: tuple[str, ...],
    output: Path | None,
    x_axis: str,
    smooth: int,
    band: str,
    log_y: bool,
    separate: bool,
) -> None:
    """Plot what runs recorded: one chart a key, one colour a run.

    RUN is a uid, the start of one, `latest`, or a name or a tag: these mean every run that has it.
    Seeds of one experiment are drawn as their mean in a band. Superseded iterations are not drawn;
    values that are not finite are gaps, and counted.

    \b
    Examples:
      jaxpot plot latest -k total_loss
      jaxpot plot baseline wide -k 'eval_*/win_rate' -x samples -o curves.png
      jaxpot plot baseline -k '*_loss' --smooth 20 --log-y -o losses.svg
      jaxpot plot paper -k total_loss --band range -o curves.html
    """
    if output is not None and output.suffix.lower() not in _FORMS:
        raise UserError(f"-o {output}: write a .png, .svg or .html file, by the end of its name")
    from jaxpot.views.compare import chosen_keys, recorded_keys
    from jaxpot.views.curves import curves, nothing_drawn
    from jaxpot.views.groups import differences, grouped, read_runs

    store = current_store()
    uids = chosen(store, runs)
    columns = _columns(output)
    with store.reading() as connection:
        each = read_runs(connection, uids)
        groups, notes = grouped(each, differences(connection, each), separate=separate)
        wanted = chosen_keys(keys, recorded_keys(connection, uids))
        if len(wanted) > _MOST_CHARTS:
            many = f"{len(wanted)} keys are called like that; a picture holds {_MOST_CHARTS}"
            raise UserError(f"{many}, name fewer")
        found, x_title = curves(
            connection,
            groups,
            wanted,
            x=x_axis,
            smooth=smooth,
            band=band,
            log_y=log_y,
            columns=columns,
        )
    empty = nothing_drawn(found, wanted)
    if empty:
        raise UserError(empty)
    tell([*notes, *_notes(found, wanted)])
    drawn = [curve for curve in found if curve.drawn]
    if output is None:
        _show(drawn, x_title=x_title, log_y=log_y)
        return
    write_output(output, _file(output.suffix.lower(), drawn, x_title=x_title, log_y=log_y))
    charts = len({curve.key for curve in drawn})
    note(f"{output}: {plural(charts, 'chart')} of {plural(len(drawn), 'curve')}")


def _columns(output: Path | None) -> int:
    from shutil import get_terminal_size

    if output is None:
        return 2 * get_terminal_size().columns
    return _PAGE_COLUMNS if output.suffix.lower() == ".html" else _FILE_COLUMNS


def _file(form: str, found: Sequence[Curve], *, x_title: str, log_y: bool) -> bytes:
    if form == ".html":
        from jaxpot.views.pages import curves_page

        return curves_page(found, x_title=x_title, log_y=log_y).encode()
    from jaxpot.views.charts import facets, png, svg

    spec = facets(found, x_title=x_title, log_y=log_y)
    return png(spec) if form == ".png" else svg(spec)


def _show(found: Sequence[Curve], *, x_title: str, log_y: bool) -> None:
    """Draws on the terminal, as wide as it is; elsewhere without colours."""
    from rich.console import Console

    from jaxpot.views.text_chart import Paper, draw

    console = Console(highlight=False, soft_wrap=True)
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    paper = Paper(
        width=console.width,
        height=_HEIGHT,
        colours=console.color_system is not None and not console.no_color,
        ascii_only=not encoding.startswith("utf"),
    )
    for index, key in enumerate(dict.fromkeys(curve.key for curve in found)):
        together = [curve for curve in found if curve.key == key]
        lines = draw(together, paper, x_title=x_title, log_y=log_y)
        with console.capture() as printed:
            for line in lines:
                console.print(line, no_wrap=True, crop=False)
        emit(("\n" if index else "") + printed.get().rstrip("\n"))


def _notes(found: Sequence[Curve], wanted: Sequence[str]) -> list[str]:
    """Says what the picture leaves out."""
    notes = [
        f"{curve.key} of {curve.group.label}: {curve.gaps} of {curve.total} points cannot be drawn"
        for curve in found
        if curve.gaps
    ]
    partial: dict[str, int] = {}
    for curve in found:
        label = curve.group.label
        partial[label] = max(partial.get(label, 0), curve.partial)
    notes += [
        f"{label}: iterations that not every seed has are left out, up to {count} of a key"
        for label, count in partial.items()
        if count
    ]
    there = {curve.key for curve in found}
    return notes + [f"{key}: no points are recorded" for key in wanted if key not in there]
