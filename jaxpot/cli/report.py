"""`jaxpot report`: runs as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from jaxpot.cli.options import UserPath, runs_dir_option
from jaxpot.cli.output import emit
from jaxpot.cli.several import chosen, keys_option, runs_argument, separate_option, x_axis_option
from jaxpot.cli.store import current_store
from jaxpot.errors import UserError
from jaxpot.paths import write_output


@click.command("report")
@runs_argument
@click.option(
    "-o",
    "--output",
    type=UserPath(dir_okay=False),
    help="The file; report-<uid>.html or, of several runs, report.html without it.",
)
@keys_option("Without it: evaluations, rewards, losses.")
@x_axis_option
@separate_option
@click.option("--force", is_flag=True, help="Write over a file that is no report of jaxpot's.")
@runs_dir_option
def command(
    runs: tuple[str, ...],
    output: Path | None,
    keys: tuple[str, ...],
    x_axis: str,
    separate: bool,
    force: bool,
) -> None:
    """Write a report of runs: one HTML file with everything in it, which needs no network.

    RUN is a uid, the start of one, `latest`, or a name or a tag: these mean every run that has it.
    The report has the result and the gates, learning curves, evaluations, the league, the time,
    checkpoints, the spec and where the run comes from; of several runs also their comparison.

    \b
    Examples:
      jaxpot report latest
      jaxpot report baseline wide -o comparison.html
      jaxpot report latest -k '*_loss' -k 'eval_*/win_rate' -x samples

    The file's path goes to stdout. An older report is written over, any other file is not.
    """
    from jaxpot.views.pages import is_ours
    from jaxpot.views.report import report_page

    store = current_store()
    uids = chosen(store, runs)
    target = output or Path("report.html" if len(uids) > 1 else f"report-{uids[0]}.html")
    if target.exists() and not force and not is_ours(target):
        raise UserError(f"{target} is there, and is no report of jaxpot's; --force writes over it")
    page = report_page(store, uids, keys=keys, x=x_axis, separate=separate)
    write_output(target, page.encode())
    emit(str(target))
