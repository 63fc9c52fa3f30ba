"""`jaxpot export` and `jaxpot import`: runs to and from other programs and machines."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import click

from jaxpot.cli import options
from jaxpot.cli.output import emit, emit_json, note, table
from jaxpot.errors import UserError
from jaxpot.formatting import printable
from jaxpot.paths import expanded

_FORMATS = ("parquet", "csv", "jsonl", "tensorboard")
_KEYS = (
    "SELECT DISTINCT k.name FROM keys AS k JOIN runs AS r USING (run_id) "
    "WHERE r.uid IN (SELECT unnest($1)) ORDER BY 1"
)


@click.command("export")
@options.runs_argument
@click.option(
    "-f", "--format", "form", type=click.Choice(_FORMATS), help="Default: the ending of -o."
)
@click.option(
    "-o", "--output", metavar="PATH", help="A folder, a file, or `-` for stdout (csv, jsonl)."
)
@click.option("-k", "--keys", "globs", multiple=True, metavar="GLOB", help="Only these keys.")
@options.every_option
@click.option("--force", is_flag=True, help="Replace existing files.")
@options.json_option("An array of the paths that were written.")
@options.runs_dir_option
def export_command(
    runs: tuple[str, ...],
    form: str | None,
    output: str | None,
    globs: tuple[str, ...],
    every: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write what each RUN recorded, without the iterations that a resume replaced.

    RUN is a run's uid or the start of one, a name, a tag, or `latest`.

    \b
    parquet, csv   into a folder: metrics (uid, run, iter, key, value), runs, attempts, params,
                   keys, iters, histograms, standings, checkpoints, events, tags, notes;
                   into a file: metrics only
    jsonl          one object per iteration; into a folder: one file per run
    tensorboard    one folder of event files per run

    \b
    Examples:
      jaxpot export latest -o run.parquet
      jaxpot export ttt --every --format parquet -o export/
      jaxpot export latest --keys 'eval_*' --format csv > evaluations.csv
      jaxpot export latest --format tensorboard -o logs/
    """
    form, target = _target(form, output)
    from jaxpot.store.exchange.exporting import (
        json_lines,
        matching,
        write_event_files,
        write_json_lines,
        write_tables,
    )
    from jaxpot.store.runs import find_all

    store = options.current_store()
    refs = find_all(options.current_runs_dir(), runs, every=every)
    uids = [ref.uid for ref in refs]
    with store.reading() as connection:
        known = [name for (name,) in connection.execute(_KEYS, [uids]).fetchall()]
    keys = matching(known, globs)
    wanted = frozenset(keys).__contains__
    match form, target:
        case "jsonl", None:
            for line in json_lines(refs, wanted):
                emit(line)
            return
        case "csv", None:
            with tempfile.TemporaryDirectory(prefix="jaxpot-") as folder:
                path = Path(folder) / "metrics.csv"
                write_tables(store, uids, keys, path, form="csv")
                with path.open(encoding="utf-8", newline="") as file:
                    shutil.copyfileobj(file, sys.stdout)
            return
        case "jsonl", Path():
            written = write_json_lines(refs, wanted, target, force=force)
        case "tensorboard", Path():
            written = write_event_files(refs, wanted, target)
        case _, Path():
            written = write_tables(store, uids, keys, target, form=form, force=force)
        case _:
            raise UserError(f"{form} needs a place: -o PATH")
    if as_json:
        emit_json(written)
    for path in written:
        note(f"wrote {path}")


def _target(form: str | None, output: str | None) -> tuple[str, Path | None]:
    """Return the format and the place to write to; None is stdout."""
    target = None if output in (None, "-") else expanded(str(output))
    suffix = "" if target is None else target.suffix.removeprefix(".")
    if form is None:
        if suffix not in _FORMATS:
            raise UserError(f"--format is one of {', '.join(_FORMATS)}")
        return suffix, target
    if suffix in _FORMATS and suffix != form:
        raise UserError(f"-o {target} ends in .{suffix}, but --format is {form}")
    return form, target


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=options.PATH)
@click.option("--update", is_flag=True, help="Add new records to runs that are already here.")
@click.option("--no-checkpoints", is_flag=True, help="Leave checkpoints out.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="TAG", help="Tag the imported runs.")
@options.json_option(
    "An array of {uid, name, action, detail}; action: imported, updated, skipped, refused."
)
@options.runs_dir_option
@click.pass_context
def import_command(
    ctx: click.Context,
    paths: tuple[Path, ...],
    update: bool,
    no_checkpoints: bool,
    tags: tuple[str, ...],
    as_json: bool,
) -> None:
    """Import the runs in each PATH; they keep their uids.

    PATH is a folder of runs, a run's folder, an archive of these (.tar, .tar.gz, .tgz, .zip), or a
    TensorBoard log directory. Each folder of TensorBoard event files becomes a run: steps become
    iterations, scalar tags become keys. Runs that are already here are skipped; a different run
    with the same uid is refused.

    \b
    Examples:
      jaxpot import /mnt/cluster/runs
      jaxpot import runs.tar.gz --no-checkpoints --tag cluster
      jaxpot import /mnt/cluster/runs --update
      jaxpot import ~/logs/tensorboard

    Exit status: 0 done, 2 a run or a PATH was refused; the others were imported.
    """
    from jaxpot.store.annotate import check_tag, tag
    from jaxpot.store.exchange.importing import import_path
    from jaxpot.store.exchange.journals import Imported
    from jaxpot.store.runs import RunRef

    for one in tags:
        check_tag(one)
    runs_dir = options.writable_runs_dir()
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
        emit_json([run._asdict() for run in found])
    else:
        emit(table(("uid", "name", "action", "detail"), found))
    refused = [run for run in found if run.action == "refused"]
    for run in refused:
        note(printable(f"error: {run.uid or run.name} is refused: {run.detail}", keep=""))
    ctx.exit(2 if refused else 0)
