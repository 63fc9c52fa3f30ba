"""`jaxpot schema`: the JSON Schema of a spec, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click

from jaxpot.cli.options import UserPath
from jaxpot.cli.output import emit
from jaxpot.paths import write_output


@click.command("schema")
@click.option(
    "-o",
    "--output",
    type=UserPath(dir_okay=False),
    help="Write to this file instead of stdout.",
)
def command(output: Path | None) -> None:
    """Write the JSON Schema (Draft 4) of a spec.

    \b
    Examples:
      jaxpot schema -o specs/experiment.schema.json

    A TOML editor that sees `#:schema experiment.schema.json` at the top of a spec completes keys,
    shows what they mean, and marks most faults as they are typed.
    """
    from jaxpot.spec import json_schema

    text = json.dumps(json_schema(), indent=2, ensure_ascii=False)
    if output is None:
        emit(text)
        return
    write_output(output, f"{text}\n".encode())
