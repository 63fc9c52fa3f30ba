"""`jaxpot sql`: questions to every run's records."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli.options import UserPath, runs_dir_option
from jaxpot.cli.output import note
from jaxpot.cli.store import current_store
from jaxpot.errors import UserError
from jaxpot.paths import replacing
from jaxpot.store.canned import parse_parameters, read_value
from jaxpot.store.open import Question, Records, Snapshot, prepared, wide_query

if TYPE_CHECKING:
    import duckdb


@click.command("sql")
@click.argument("query", required=False)
@click.option("-f", "--file", type=UserPath(), help="Read the query from a file.")
@click.option(
    "-p",
    "--param",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of the query's parameter $NAME; may be repeated.",
)
@click.option("--list", "listing", is_flag=True, help="List the queries that have names.")
@click.option("--schema", is_flag=True, help="Describe every view, macro, table and column.")
@click.option("--wide", is_flag=True, help="A row an iteration, a column a key; of -p run=RUN.")
@click.option("--keys", multiple=True, metavar="GLOB", help="With --wide, only such keys.")
@click.option("--json", "form", flag_value="json", help="An array of objects.")
@click.option("--csv", "form", flag_value="csv", help="CSV with a header.")
@click.option("--markdown", "form", flag_value="markdown", help="A Markdown table.")
@click.option("--parquet", type=UserPath(), help="Write a Parquet file instead.")
@click.option(
    "--max-rows",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    help="Rows that the table shows; 0 for all. The other forms always give all.",
)
@click.option(
    "--database",
    type=UserPath(dir_okay=False),
    help="Ask a file that `jaxpot snapshot` wrote.",
)
@click.option("--allow-files", is_flag=True, help="Let the query reach files and the network.")
@runs_dir_option
def command(
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
    """Query every run's records with SQL, read-only.

    QUERY is DuckDB's SQL, or the name of a query: those of --list, and `queries/NAME.sql` of your
    own. `-` reads it from stdin. Without one, on a terminal, a shell asks for queries.

    A parameter is written $NAME in the query. Its value is a TOML scalar, else text; null is NULL.
    `-p run=RUN` takes any word for a run (uid, start of one, name, tag, `latest`) and gives its
    uid; so does `-p other=run:RUN`. `-p runs=A,B` gives a list of every run that the words mean.

    \b
    Examples:
      jaxpot sql "from runs select name, status, iterations, started order by started desc"
      jaxpot sql 'from series($run, $key)' -p run=latest -p key=total_loss --csv
      jaxpot sql learning_curves -p run=latest -p key=total_loss
      jaxpot sql --wide -p run=latest --keys 'eval*' --parquet evals.parquet
      jaxpot sql --schema
    """
    if form is not None and parquet is not None:
        raise click.UsageError(f"--{form} and --parquet exclude each other")
    asked = {"a query": query is not None, "--file": file is not None, "--list": listing}
    asked |= {"--schema": schema, "--wide": wide}
    chosen = [name for name, is_given in asked.items() if is_given]
    if len(chosen) > 1:
        raise click.UsageError(f"{chosen[0]} and {chosen[1]} exclude each other")
    if keys and not wide:
        raise click.UsageError("--keys is for --wide")
    if (listing or schema) and parquet is not None:
        raise click.UsageError(f"{chosen[0]} and --parquet exclude each other")
    if listing:
        from jaxpot.cli.reference import print_queries

        print_queries(form)
        return
    records = _records(database)
    if schema:
        from jaxpot.cli.reference import print_schema

        print_schema(records, form)
        return
    given = {name: read_value(name, text) for name, text in parse_parameters(assignments).items()}
    if wide:
        question = partial(wide_query, given=given, keys=keys)
    elif query is None and file is None and sys.stdin.isatty():
        _shell(records, given, form, parquet, max_rows, allow_files=allow_files)
        return
    else:
        question = partial(prepared, query=_query(query, file), given=given)
    if parquet is not None:
        _parquet(records, question, parquet, allow_files=allow_files)
        return
    with records.reading(allow_files=allow_files) as connection:
        _print(connection, records.path, question, form, max_rows)


def _records(database: Path | None) -> Records:
    return Records(current_store() if database is None else Snapshot(database))


def _print(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    question: Question,
    form: str | None,
    max_rows: int,
) -> None:
    from jaxpot.cli.rows import print_csv, print_json, print_markdown, print_table
    from jaxpot.store.query import run_query

    text, parameters = question(connection)
    result = run_query(connection, text, path=path, parameters=parameters)
    match form:
        case "json":
            print_json(result)
        case "csv":
            print_csv(result)
        case "markdown":
            print_markdown(result)
        case _:
            print_table(result, max_rows)


def _shell(
    records: Records,
    given: Mapping[str, Any],
    form: str | None,
    parquet: Path | None,
    max_rows: int,
    *,
    allow_files: bool,
) -> None:
    if form is not None or parquet is not None or not sys.stdout.isatty():
        raise click.UsageError("no query; give one, or --file, or pipe one in")
    from jaxpot.cli.shell import Shell

    Shell(records, given, max_rows=max_rows, allow_files=allow_files).run()


def _query(query: str | None, file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{file}: not UTF-8 text") from error
        except OSError as error:
            raise UserError(f"{file}: {error.strerror}") from error
    if query is not None and query != "-":
        return query
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise UserError("stdin: not UTF-8 text") from error


def _parquet(
    records: Records,
    question: Question,
    target: Path,
    *,
    allow_files: bool,
) -> None:
    from jaxpot.store.query import write_parquet

    with (
        replacing(target) as draft,
        records.reading(allow_files=allow_files, output=draft) as connection,
    ):
        text, parameters = question(connection)
        rows = write_parquet(connection, text, draft, path=records.path, parameters=parameters)
    note(f"{target}: {rows} rows")
