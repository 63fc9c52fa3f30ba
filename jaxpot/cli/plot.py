"""`jaxpot plot` and `jaxpot report`: runs as pictures, and as a page."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jaxpot.cli import options
from jaxpot.cli.output import emit, note
from jaxpot.errors import UserError
from jaxpot.formatting import plural
from jaxpot.paths import write_output

if TYPE_CHECKING:
    from jaxpot.views.curves import Curve

_FORMS = (".png", ".svg", ".html")
_MOST_SMOOTHED = 1_000_000
_HEIGHT = 12
_FILE_COLUMNS = 800
_PAGE_COLUMNS = 200
_MOST_CHARTS = 60


@click.command("plot")
@options.runs_argument
@options.keys_option("Each key gets a chart.", required=True)
@click.option(
    "-o",
    "--output",
    type=options.FILE,
    help="Write FILE.png, FILE.svg or FILE.html. Default: draw on the terminal.",
)
@options.x_axis_option
@click.option(
    "--smooth",
    type=click.IntRange(1, _MOST_SMOOTHED),
    default=1,
    metavar="N",
    help="Draw the mean of the last N points.",
)
@click.option(
    "--band",
    type=click.Choice(["error", "range", "none"]),
    default="error",
    show_default=True,
    help="The band around a mean over seeds: its standard error, the extremes, or none.",
)
@click.option(
    "--log-y", is_flag=True, help="A logarithmic axis; values that are not positive become gaps."
)
@options.separate_option
@options.runs_dir_option
def plot_command(
    runs: tuple[str, ...],
    keys: tuple[str, ...],
    output: Path | None,
    x_axis: str,
    smooth: int,
    band: str,
    log_y: bool,
    separate: bool,
) -> None:
    """Plot what runs recorded: one chart per key, one colour per run.

    RUN is a uid, the start of one, `latest`, or a name or a tag, which select every run that has
    it. Seeds of one experiment are drawn as their mean with a band. Iterations that a resume
    replaced are not drawn. Values that are not finite become gaps, and are counted.

    \b
    Examples:
      jaxpot plot latest -k total_loss
      jaxpot plot baseline wide -k 'eval_*/win_rate' -x samples -o curves.png
      jaxpot plot baseline -k '*_loss' --smooth 20 --log-y -o losses.svg
      jaxpot plot paper -k total_loss --band range -o curves.html
    """
    if output is not None and output.suffix.lower() not in _FORMS:
        raise UserError(f"-o {output}: the name must end in .png, .svg or .html")
    from jaxpot.views.compare import chosen_keys, recorded_keys
    from jaxpot.views.curves import curves, nothing_drawn
    from jaxpot.views.groups import differences, grouped, read_runs

    store = options.current_store()
    uids = options.all_uids(store, runs)
    columns = 2 * shutil.get_terminal_size().columns
    if output is not None:
        columns = _PAGE_COLUMNS if output.suffix.lower() == ".html" else _FILE_COLUMNS
    with store.reading() as connection:
        each = read_runs(connection, uids)
        groups, notes = grouped(each, differences(connection, each), separate=separate)
        wanted = chosen_keys(keys, recorded_keys(connection, uids))
        if len(wanted) > _MOST_CHARTS:
            many = f"{len(wanted)} keys match; a picture holds {_MOST_CHARTS}"
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
    for line in (*notes, *_notes(found, wanted)):
        note(f"note: {line}")
    drawn = [curve for curve in found if curve.drawn]
    if output is None:
        _show(drawn, x_title=x_title, log_y=log_y)
        return
    write_output(output, _file(output.suffix.lower(), drawn, x_title=x_title, log_y=log_y))
    charts = len({curve.key for curve in drawn})
    note(f"{output}: {plural(charts, 'chart')} of {plural(len(drawn), 'curve')}")


@click.command("report")
@options.runs_argument
@click.option(
    "-o",
    "--output",
    type=options.FILE,
    help="Default: report-<uid>.html, or report.html for several runs.",
)
@options.keys_option("Default: evaluations, rewards, losses.")
@options.x_axis_option
@options.separate_option
@click.option("--force", is_flag=True, help="Replace FILE even if it is not a report.")
@options.runs_dir_option
def report_command(
    runs: tuple[str, ...],
    output: Path | None,
    keys: tuple[str, ...],
    x_axis: str,
    separate: bool,
    force: bool,
) -> None:
    """Write a report on runs: one self-contained HTML file that needs no network.

    RUN is a uid, the start of one, `latest`, or a name or a tag, which select every run that has
    it. The report has the result and gates, learning curves, evaluations, the league, times,
    checkpoints, the spec and provenance; for several runs also their comparison.

    \b
    Examples:
      jaxpot report latest
      jaxpot report baseline wide -o comparison.html
      jaxpot report latest -k '*_loss' -k 'eval_*/win_rate' -x samples

    The path of the file goes to stdout. An older report is replaced; any other file is not.
    """
    from jaxpot.views.pages import is_ours
    from jaxpot.views.report import report_page

    store = options.current_store()
    uids = options.all_uids(store, runs)
    target = output or Path("report.html" if len(uids) > 1 else f"report-{uids[0]}.html")
    if target.exists() and not force and not is_ours(target):
        raise UserError(f"{target} exists and is not a report of jaxpot; --force replaces it")
    page = report_page(store, uids, keys=keys, x=x_axis, separate=separate)
    write_output(target, page.encode())
    emit(str(target))


def _file(form: str, found: Sequence[Curve], *, x_title: str, log_y: bool) -> bytes:
    if form == ".html":
        from jaxpot.views.pages import curves_page

        return curves_page(found, x_title=x_title, log_y=log_y).encode()
    from jaxpot.views.charts import facets, png, svg

    spec = facets(found, x_title=x_title, log_y=log_y)
    return png(spec) if form == ".png" else svg(spec)


def _show(found: Sequence[Curve], *, x_title: str, log_y: bool) -> None:
    """Draw on stdout, as wide as the terminal; without colours if it is not a terminal."""
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
    """Return a note for everything that the picture leaves out."""
    notes = [
        f"{curve.key} of {curve.group.label}: {curve.gaps} of {curve.total} points cannot be drawn"
        for curve in found
        if curve.gaps
    ]
    partial: dict[str, int] = {}
    for curve in found:
        partial[curve.group.label] = max(partial.get(curve.group.label, 0), curve.partial)
    notes += [
        f"{label}: iterations that some seeds lack are left out, up to {count} per key"
        for label, count in partial.items()
        if count
    ]
    there = {curve.key for curve in found}
    return notes + [f"{key}: no points are recorded" for key in wanted if key not in there]
