"""`jaxpot sql`: questions to every run's records."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from jaxpot.cli.options import runs_dir_option
from jaxpot.cli.output import note
from jaxpot.cli.store import current_store
from jaxpot.errors import UserError


@click.command("sql")
@click.argument("query", required=False)
@click.option("-f", "--file", type=click.Path(path_type=Path), help="Read the query from a file.")
@click.option("--json", "form", flag_value="json", help="An array of objects.")
@click.option("--csv", "form", flag_value="csv", help="CSV with a header.")
@click.option("--markdown", "form", flag_value="markdown", help="A Markdown table.")
@click.option("--parquet", type=click.Path(path_type=Path), help="Write a Parquet file instead.")
@click.option(
    "--max-rows",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    help="Rows that the table shows; 0 for all. The other forms always give all.",
)
@click.option("--allow-files", is_flag=True, help="Let the query reach files and the network.")
@runs_dir_option
def command(
    query: str | None,
    file: Path | None,
    form: str | None,
    parquet: Path | None,
    max_rows: int,
    allow_files: bool,
) -> None:
    """Query every run's records with SQL, read-only.

    QUERY is DuckDB's SQL; without one, or with `-`, it is read from stdin. Tables and views:
    docs/store.md. The views metric, latest, best and summary are where to begin.

    \b
    Examples:
      jaxpot sql "from runs select name, status, iterations, started order by started desc"
      jaxpot sql "select run, iter, value from metric where key = 'total_loss'" --csv
      jaxpot sql "from best where key like 'eval%'" --markdown
      jaxpot sql -f query.sql --parquet answer.parquet
    """
    text = _query(query, file)
    if form is not None and parquet is not None:
        raise click.UsageError(f"--{form} and --parquet exclude each other")
    store = current_store()
    if parquet is not None:
        _parquet(text, parquet, allow_files=allow_files)
        return
    from jaxpot.cli.rows import print_csv, print_json, print_markdown, print_table
    from jaxpot.store.query import run_query

    with store.reading(allow_files=allow_files) as connection:
        result = run_query(connection, text, path=store.path)
        match form:
            case "json":
                print_json(result)
            case "csv":
                print_csv(result)
            case "markdown":
                print_markdown(result)
            case _:
                print_table(result, max_rows)


def _query(query: str | None, file: Path | None) -> str:
    if file is not None:
        if query is not None:
            raise click.UsageError("a query and --file exclude each other")
        try:
            return file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{file}: not UTF-8 text") from error
        except OSError as error:
            raise UserError(f"{file}: {error.strerror}") from error
    if query is not None and query != "-":
        return query
    if query is None and sys.stdin.isatty():
        raise click.UsageError("no query; give one, or --file, or pipe one in")
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise UserError("stdin: not UTF-8 text") from error


def _parquet(query: str, target: Path, *, allow_files: bool) -> None:
    from jaxpot.store.query import write_parquet

    store = current_store()
    draft = target.absolute().with_name(f".{target.name}.{os.getpid()}")
    try:
        with store.reading(allow_files=allow_files, output=draft) as connection:
            rows = write_parquet(connection, query, draft, path=store.path)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    note(f"{target}: {rows} rows")
