"""`jaxpot snapshot` and `jaxpot rebuild`: copy the database, or make it again."""

from __future__ import annotations

import time
from pathlib import Path

import click

from jaxpot.cli import options
from jaxpot.cli.output import emit, json_text, note
from jaxpot.formatting import plural


@click.command("snapshot")
@click.argument("file", type=options.PATH)
@click.option(
    "--runs",
    "words",
    multiple=True,
    metavar="RUN",
    help="Only these runs: a uid, the start of one, a name, a tag, or `latest`; repeatable.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@options.json_option("An object that describes the copy.")
@options.runs_dir_option
def snapshot_command(file: Path, words: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Write a copy of the current database to FILE.

    \b
    Examples:
      jaxpot snapshot analysis.duckdb
      jaxpot snapshot paper.duckdb --runs paper --runs 20261122-101530
      jaxpot sql --database paper.duckdb leaderboard
      duckdb -readonly paper.duckdb "from latest"

    A name or a tag selects every run that has it. FILE appears only when it is complete. jaxpot and
    any DuckDB shell since version 1.5 can open it, with its views, macros and comments. Journals
    and checkpoints are not included.
    """
    from jaxpot.store.snapshot import write_snapshot

    written = write_snapshot(options.current_store(), file, words=words, force=force)
    if as_json:
        emit(json_text(written._asdict()))
    else:
        note(f"{written.path}: {plural(written.runs, 'run')}, {written.bytes:,} bytes")


@click.command("rebuild")
@options.runs_dir_option
def rebuild_command() -> None:
    """Make the database again from the runs' journals.

    \b
    Examples:
      jaxpot rebuild
      jaxpot rebuild --runs-dir elsewhere

    Every row comes from the journals, so nothing is lost. The old database stays readable until
    the new one replaces it. Use this if the database is damaged, missing, or was made by another
    version of jaxpot.
    """
    store = options.current_store()
    began = time.monotonic()
    report = store.rebuild()
    for line in report.notices():
        note(f"note: {line}")
    seconds = time.monotonic() - began
    note(f"{store.path}: {report.runs} runs, {report.points} points, in {seconds:.1f} s")
