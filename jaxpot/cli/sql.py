"""`jaxpot sql`: query the records of all runs."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jaxpot.cli import options
from jaxpot.cli.output import note
from jaxpot.errors import UserError
from jaxpot.paths import replacing
from jaxpot.store.canned import parse_parameters, read_value
from jaxpot.store.open import Question, Records, Snapshot, prepared, wide_query

if TYPE_CHECKING:
    import duckdb


@click.command("sql")
@click.argument("query", required=False)
@click.option("-f", "--file", type=options.PATH, help="Read the query from a file.")
@click.option(
    "-p",
    "--param",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="The value of the query's parameter $NAME; repeatable.",
)
@click.option("--list", "listing", is_flag=True, help="List the named queries.")
@click.option("--schema", is_flag=True, help="Describe every view, macro, table and column.")
@click.option(
    "--wide", is_flag=True, help="Show -p run=RUN: one row per iteration, one column per key."
)
@click.option("--keys", multiple=True, metavar="GLOB", help="With --wide: only these keys.")
@click.option("--json", "form", flag_value="json", help="An array of objects.")
@click.option("--csv", "form", flag_value="csv", help="CSV with a header.")
@click.option("--markdown", "form", flag_value="markdown", help="A Markdown table.")
@click.option("--parquet", type=options.PATH, help="Write a Parquet file instead.")
@click.option(
    "--max-rows",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    help="The most rows that a table shows; 0 for all. Other formats always have all rows.",
)
@click.option("--database", type=options.FILE, help="Query a file of `jaxpot snapshot`.")
@click.option("--allow-files", is_flag=True, help="Let the query use files and the network.")
@options.runs_dir_option
def sql_command(
    query: str | None,
    file: Path | None,
    assignments: tuple[str, ...],
    listing: bool,
    schema: bool,
    wide: bool,
    keys: tuple[str, ...],
    form: str | None,
    parquet: Path | None,
    max_rows: int,
    database: Path | None,
    allow_files: bool,
) -> None:
    """Query the records of all runs with SQL, read-only.

    QUERY is DuckDB SQL, or the name of a query: one that --list shows, or your own file
    `queries/NAME.sql`. `-` reads the query from stdin. Without QUERY, a terminal gets a shell.

    A query writes a parameter as $NAME. Its value is a TOML scalar, otherwise text; null is NULL.
    `-p run=RUN` takes a run's uid or the start of one, a name, a tag, or `latest`, and passes the
    uid; so does `-p other=run:RUN`. `-p runs=A,B` passes the uids of every run that A or B names.

    \b
    Examples:
      jaxpot sql "from runs select name, status, iterations, started order by started desc"
      jaxpot sql 'from series($run, $key)' -p run=latest -p key=total_loss --csv
      jaxpot sql learning_curves -p run=latest -p key=total_loss
      jaxpot sql --wide -p run=latest --keys 'eval*' --parquet evals.parquet
      jaxpot sql --schema
    """
    options.exclude({f"--{form}": form, "--parquet": parquet})
    options.exclude({"--list": listing, "--schema": schema, "--parquet": parquet})
    modes = {"--file": file, "--list": listing, "--schema": schema, "--wide": wide}
    options.exclude({"a query": query is not None, **modes})
    if keys and not wide:
        raise click.UsageError("--keys is for --wide")
    if listing:
        from jaxpot.cli.reference import print_queries

        print_queries(form)
        return
    records = Records(options.current_store() if database is None else Snapshot(database))
    if schema:
        from jaxpot.cli.reference import print_schema

        print_schema(records, form)
        return
    given = {name: read_value(name, text) for name, text in parse_parameters(assignments).items()}
    if wide:
        question = partial(wide_query, given=given, keys=keys)
    elif query is None and file is None and sys.stdin.isatty():
        if form is not None or parquet is not None or not sys.stdout.isatty():
            raise click.UsageError("no query; give one, or --file, or pipe one in")
        from jaxpot.cli.shell import Shell

        Shell(records, given, max_rows=max_rows, allow_files=allow_files).run()
        return
    else:
        question = partial(prepared, query=_read_query(query, file), given=given)
    if parquet is not None:
        _write_parquet(records, question, parquet, allow_files=allow_files)
        return
    with records.reading(allow_files=allow_files) as connection:
        _print(connection, records.path, question, form, max_rows)


def _read_query(query: str | None, file: Path | None) -> str:
    if file is None and query not in (None, "-"):
        return str(query)
    try:
        return sys.stdin.read() if file is None else file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{file or 'stdin'}: not UTF-8 text") from error
    except OSError as error:
        raise UserError(f"{file or 'stdin'}: {error.strerror}") from error


def _print(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    question: Question,
    form: str | None,
    max_rows: int,
) -> None:
    from jaxpot.cli import rows
    from jaxpot.store.query import run_query

    text, parameters = question(connection)
    result = run_query(connection, text, path=path, parameters=parameters)
    match form:
        case "json":
            rows.print_json(result)
        case "csv":
            rows.print_csv(result)
        case "markdown":
            rows.print_markdown(result)
        case _:
            rows.print_table(result, max_rows)


def _write_parquet(
    records: Records, question: Question, target: Path, *, allow_files: bool
) -> None:
    from jaxpot.store.query import write_parquet

    with (
        replacing(target) as draft,
        records.reading(allow_files=allow_files, output=draft) as connection,
    ):
        text, parameters = question(connection)
        rows = write_parquet(connection, text, draft, path=records.path, parameters=parameters)
    note(f"{target}: {rows} rows")
