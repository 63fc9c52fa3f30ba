"""`jaxpot export`: runs for other programs."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import click

from jaxpot.cli.completing import RUN
from jaxpot.cli.options import json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text, note
from jaxpot.cli.store import current_store
from jaxpot.errors import UserError
from jaxpot.paths import expanded

_FORMATS = ("parquet", "csv", "jsonl", "tensorboard")
_KEYS = (
    "SELECT DISTINCT k.name FROM keys AS k JOIN runs AS r USING (run_id) "
    "WHERE r.uid IN (SELECT unnest($1)) ORDER BY 1"
)


@click.command("export")
@click.argument("runs", nargs=-1, required=True, type=RUN, metavar="RUN...")
@click.option(
    "-f", "--format", "form", type=click.Choice(_FORMATS), help="By default what -o ends in."
)
@click.option(
    "-o", "--output", metavar="PATH", help="A folder, a file, or `-` for stdout (csv, jsonl)."
)
@click.option("-k", "--keys", "globs", multiple=True, metavar="GLOB", help="Only those keys.")
@click.option("--every", is_flag=True, help="Every run that a RUN means, not only the newest.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@json_option("An array of the paths that were written.")
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    runs: tuple[str, ...],
    form: str | None,
    output: str | None,
    globs: tuple[str, ...],
    every: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write what each RUN recorded: every value that counts, none that a resume superseded.

    RUN is a run's id or the start of one, a name, a tag, or `latest`.

    \b
    parquet, csv   into a folder: metrics (uid, run, iter, key, value), runs, attempts, params,
                   keys, iters, histograms, standings, checkpoints, events, tags, notes;
                   into a file: metrics alone
    jsonl          an object an iteration; into a folder: a file a run
    tensorboard    a folder of event files a run

    \b
    Examples:
      jaxpot export latest -o run.parquet
      jaxpot export ttt --every --format parquet -o export/
      jaxpot export latest --keys 'eval_*' --format csv > evaluations.csv
      jaxpot export latest --format tensorboard -o logs/
    """
    form, target = _form(form, output)
    from jaxpot.store.exchange.exporting import (
        json_lines,
        matching,
        write_event_files,
        write_json_lines,
    )
    from jaxpot.store.runs import find_all

    store = current_store()
    refs = find_all(ctx.obj["runs_dir"], runs, every=every)
    uids = [ref.uid for ref in refs]
    with store.reading() as connection:
        known = [name for (name,) in connection.execute(_KEYS, [uids]).fetchall()]
    chosen = matching(known, globs)
    wanted = frozenset(chosen).__contains__
    match form, target:
        case "jsonl", None:
            for line in json_lines(refs, wanted):
                emit(line)
            return
        case "csv", None:
            _csv_to_stdout(uids, chosen)
            return
        case "jsonl", Path():
            written = write_json_lines(refs, wanted, target, force=force)
        case "tensorboard", Path():
            written = write_event_files(refs, wanted, target)
        case _, Path():
            from jaxpot.store.exchange.exporting import write_tables

            written = write_tables(store, uids, chosen, target, form=form, force=force)
        case _:
            raise UserError(f"{form} needs a place: -o PATH")
    if as_json:
        emit(json_text([str(path) for path in written], indent=2))
    for path in written:
        note(f"wrote {path}")


def _form(form: str | None, output: str | None) -> tuple[str, Path | None]:
    """Returns the form that is meant, and the place; None is stdout."""
    target = None if output in (None, "-") else expanded(str(output))
    if form is None:
        suffix = "" if target is None else target.suffix.removeprefix(".")
        if suffix not in _FORMATS:
            raise UserError(f"--format is one of {', '.join(_FORMATS)}")
        form = suffix
    elif target is not None and target.suffix[1:] in _FORMATS and target.suffix[1:] != form:
        raise UserError(f"-o {target} does not end in .{form}, and is no folder's name")
    return form, target


def _csv_to_stdout(uids: list[str], keys: list[str]) -> None:
    from jaxpot.store.exchange.exporting import write_tables

    with tempfile.TemporaryDirectory(prefix="jaxpot-") as folder:
        path = Path(folder) / "metrics.csv"
        write_tables(current_store(), uids, keys, path, form="csv")
        with path.open(encoding="utf-8", newline="") as file:
            shutil.copyfileobj(file, sys.stdout)
