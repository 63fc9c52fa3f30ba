"""`jaxpot snapshot`: a copy of the database, as it is now."""

from __future__ import annotations

from pathlib import Path

import click

from jaxpot.cli.options import UserPath, json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text, note
from jaxpot.cli.store import current_store


@click.command("snapshot")
@click.argument("file", type=UserPath())
@click.option(
    "--runs",
    "words",
    multiple=True,
    metavar="RUN",
    help="Only such runs: a uid, the start of one, a name, a tag, or `latest`; may be repeated.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@json_option("What was written, as an object.")
@runs_dir_option
def command(file: Path, words: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Write a copy of the database, as it is now, to FILE.

    \b
    Examples:
      jaxpot snapshot analysis.duckdb
      jaxpot snapshot paper.duckdb --runs paper --runs 20261122-101530
      jaxpot sql --database paper.duckdb leaderboard
      duckdb -readonly paper.duckdb "from latest"

    A name or a tag means every run that has it. FILE is complete or not there. jaxpot and any
    DuckDB shell from version 1.5 on open it, with its views, macros and comments. Journals and
    checkpoints are not in it.
    """
    from jaxpot.store.snapshot import write_snapshot

    written = write_snapshot(current_store(), file, words=words, force=force)
    if as_json:
        emit(json_text({**written._asdict(), "path": str(written.path)}))
        return
    plural = "" if written.runs == 1 else "s"
    note(f"{written.path}: {written.runs} run{plural}, {written.bytes:,} bytes")
