"""`jaxpot sync`: send recorded runs to sinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from jaxpot.cli import options
from jaxpot.cli.output import emit, emit_json, note
from jaxpot.errors import UserError

EXIT_FAILED = 1


@click.command("sync")
@options.runs_argument
@click.option(
    "--sink",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only this sink; repeatable. A kind such as tensorboard needs no table in the spec.",
)
@options.set_option
@options.json_option("An array with one object per run and sink.")
@options.runs_dir_option
@click.pass_context
def sync_command(
    ctx: click.Context,
    runs: Sequence[str],
    names: tuple[str, ...],
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Send the records of each RUN to its sinks, unless they have them already.

    RUN is a run's uid or the start of one, a name, a tag, or `latest`.

    \b
    Examples:
      jaxpot sync latest
      jaxpot sync ttt --sink tensorboard
      jaxpot sync ttt --sink wandb -s 'sinks.wandb.project="games"'

    By default these are the sinks in the run's spec. --sink and -s add others, so that a tool set
    up later can receive past runs. Each point arrives once, however often you call this.

    Exit status: 0 everything was delivered, 1 a sink failed, 2 the input is wrong.
    """
    import attrs

    from jaxpot.store.runs import find
    from jaxpot.trackers.process import SideProcess

    rows: list[dict[str, Any]] = []
    for selector in runs:
        found = find(options.current_runs_dir(), selector)
        tables = _tables(found.path, names, overrides)
        process = SideProcess(found.path, tables, ingest=False, tries=1)
        states = process.finish_sinks(timeout=None)
        process.stop()
        for state in states:
            rows.append({"run": found.uid, **attrs.asdict(state)})
            if (text := state.warning(found.uid)) is not None:
                note(f"warning: {text}")
    if as_json:
        emit_json(rows)
    else:
        for row in rows:
            emit(f"{row['run']}  {row['sink']}  {row['state']}  {row['done']} iterations")
    if any(row["state"] == "failed" for row in rows):
        ctx.exit(EXIT_FAILED)


def _tables(
    folder: Path, names: Sequence[str], overrides: Sequence[str]
) -> Mapping[str, Mapping[str, Any]]:
    """Return the tables of the chosen sinks: those in the run's spec, with the overrides.

    Raises:
        UserError: A sink does not exist, its table is wrong, or its package is missing.
    """
    from jaxpot.journal import read_record
    from jaxpot.spec import SpecError, from_resolved, missing_extras
    from jaxpot.spec.resolve import plain
    from jaxpot.spec.source.extends import read_override

    spec = dict(read_record(folder).spec)
    sinks = spec["sinks"] = {name: dict(table) for name, table in spec.get("sinks", {}).items()}
    for text in overrides:
        override = read_override(text)
        if override.path[0] != "sinks" or len(override.path) < 3:
            raise UserError(f"-s {text}: only values of sinks can be set: sinks.NAME.KEY=VALUE")
        table = sinks.setdefault(override.path[1], {})
        for part in override.path[2:-1]:
            table = table.setdefault(part, {})
        table[override.path[-1]] = override.value
    for name in names:
        sinks.setdefault(name, {})
    experiment = from_resolved(spec)
    tables = {
        name: plain(sink) for name, sink in experiment.sinks.items() if not names or name in names
    }
    if not tables:
        raise UserError(f"{folder.name}: its spec has no sinks; name one with --sink")
    missing = [fault for fault in missing_extras(experiment) if fault.path[1] in tables]
    if missing:
        raise SpecError(missing)
    return tables
