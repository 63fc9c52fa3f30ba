"""`jaxpot sync`: send recorded runs to sinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from jaxpot.cli.completing import RUN
from jaxpot.cli.options import json_option, runs_dir_option, set_option
from jaxpot.cli.output import emit, json_text, note

EXIT_FAILED = 1


@click.command("sync")
@click.argument("runs", nargs=-1, required=True, type=RUN, metavar="RUN...")
@click.option(
    "--sink",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only this one; may be repeated. A kind, such as tensorboard, needs no table in the spec.",
)
@set_option
@json_option("An array with one object for each run and sink.")
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    runs: Sequence[str],
    names: tuple[str, ...],
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Send what RUN recorded to its sinks, as far as they do not have it.

    \b
    Examples:
      jaxpot sync latest
      jaxpot sync ttt --sink tensorboard
      jaxpot sync ttt --sink wandb -s 'sinks.wandb.project="games"'

    The sinks are those of the run's spec, or any others: so a tool that was set up later gets past
    runs too. Every point arrives once, however often this is called.

    Exit status: 0 everything is delivered, 1 a sink failed, 2 the input is wrong.
    """
    import attrs

    from jaxpot.loop.delivery import Deliveries
    from jaxpot.store.runs import find

    rows: list[dict[str, Any]] = []
    for selector in runs:
        found = find(ctx.obj["runs_dir"], selector)
        tables = _tables(found.path, names, overrides)
        for state in Deliveries(found.path, tables, tries=1).stop(timeout=None):
            rows.append({"run": found.uid, **attrs.asdict(state)})
            if (text := state.warning(found.uid)) is not None:
                note(f"warning: {text}")
    if as_json:
        emit(json_text(rows, indent=2))
    else:
        for row in rows:
            emit(f"{row['run']}  {row['sink']}  {row['state']}  {row['done']} iterations")
    if any(row["state"] == "failed" for row in rows):
        ctx.exit(EXIT_FAILED)


def _tables(
    folder: Path, names: Sequence[str], overrides: Sequence[str]
) -> Mapping[str, Mapping[str, Any]]:
    """Returns the tables of the sinks that are meant: those of the run's spec, changed as asked.

    Raises:
        UserError: There is no such sink, or its table is wrong, or its package is missing.
    """
    from jaxpot.errors import UserError
    from jaxpot.journal import read_record
    from jaxpot.spec import SpecError, from_resolved, missing_extras
    from jaxpot.spec.resolve import plain
    from jaxpot.spec.source.overrides import read_override

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
