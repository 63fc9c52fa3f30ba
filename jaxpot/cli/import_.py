"""`jaxpot import`: runs of other machines, and TensorBoard's logs."""

from __future__ import annotations

from pathlib import Path

import click

from jaxpot.cli.options import UserPath, json_option, runs_dir_option, writable_runs_dir
from jaxpot.cli.output import emit, json_text, note, table
from jaxpot.errors import UserError
from jaxpot.formatting import printable

_COLUMNS = ("uid", "name", "action", "detail")


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=UserPath())
@click.option("--update", is_flag=True, help="Of runs that are here, take in what is new.")
@click.option("--no-checkpoints", is_flag=True, help="Leave checkpoints out.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="TAG", help="Tag what is imported.")
@json_option(
    "An array of {uid, name, action, detail}; action: imported, updated, skipped, refused."
)
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[Path, ...],
    update: bool,
    no_checkpoints: bool,
    tags: tuple[str, ...],
    as_json: bool,
) -> None:
    """Take in the runs that each PATH has, under the uids that they have.

    PATH is a folder of runs, a run's folder, an archive of these (.tar, .tar.gz, .tgz, .zip), or a
    log directory of TensorBoard, of which every folder with event files becomes a run: steps as
    iterations, scalars under their tags. What is here already is skipped, and another run under
    the same uid refused.

    \b
    Examples:
      jaxpot import /mnt/cluster/runs
      jaxpot import runs.tar.gz --no-checkpoints --tag cluster
      jaxpot import /mnt/cluster/runs --update
      jaxpot import ~/logs/tensorboard

    Exit status: 0 done, 2 a run or a PATH was refused; the others are there.
    """
    from jaxpot.store.annotate import check_tag, tag
    from jaxpot.store.exchange.importing import import_path
    from jaxpot.store.exchange.journals import Imported
    from jaxpot.store.runs import RunRef

    for one in tags:
        check_tag(one)
    runs_dir = writable_runs_dir(ctx.obj["runs_dir"])
    found: list[Imported] = []
    for path in paths:
        try:
            found += import_path(runs_dir, path, update=update, checkpoints=not no_checkpoints)
        except UserError as error:
            found.append(Imported("", path.name, "refused", str(error)))
    for run in found:
        if tags and run.action in ("imported", "updated"):
            tag(RunRef(run.uid, run.name, runs_dir / run.uid), add=tags)
    if as_json:
        emit(json_text([run._asdict() for run in found], indent=2))
    else:
        emit(table(_COLUMNS, [[run.uid, run.name, run.action, run.detail] for run in found]))
    refused = [run for run in found if run.action == "refused"]
    for run in refused:
        note(printable(f"error: {run.uid or run.name} is refused: {run.detail}", keep=""))
    ctx.exit(2 if refused else 0)
