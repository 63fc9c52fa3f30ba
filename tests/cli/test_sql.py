"""`jaxpot sql`."""

import csv
import io
import json
import re

import duckdb
import pytest

from jaxpot.cli.exchange import export_command
from jaxpot.cli.rows import print_table
from jaxpot.cli.sql import sql_command as command
from jaxpot.errors import UserError
from jaxpot.store import Store
from jaxpot.store.query import run_query
from jaxpot.store.snapshot import write_snapshot
from tests.cli.runs import call, two_runs

FIRST, SECOND = "20261122-101530-aaaaaa", "20261122-111530-bbbbbb"


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    """Return a runs directory of two runs."""
    path = tmp_path_factory.mktemp("cli") / "runs"
    two_runs(path)
    call(command, path, "SELECT 1")
    return path


VALUES = """
SELECT i, 'a|b' AS "text", [1, 2] AS list, {'x': 'NaN'::DOUBLE} AS "struct",
    CASE i WHEN 0 THEN 'NaN'::DOUBLE WHEN 1 THEN '-inf' ELSE 0.1 END AS number,
    DATE '2026-11-22' AS day, TIMESTAMP '2026-11-22 10:15:30' AS moment,
    TIMESTAMPTZ '2026-11-22 10:15:30+02' AS zoned, TIME '10:15' AS clock,
    12345678901234567890::HUGEINT AS huge, 1.50::DECIMAL(5, 2) AS "decimal", NULL AS nothing,
    true AS yes, '\\xAA'::BLOB AS bytes, INTERVAL 90 MINUTE AS span,
    '00000000-0000-0000-0000-000000000001'::UUID AS id, '{"a": [1]}'::JSON AS json
FROM range(3) AS t(i)
"""


@pytest.mark.parametrize("form", ["--json", "--csv", "--markdown", "--max-rows=2"])
def test_every_form_of_every_type(runs_dir, form, snapshot):
    done = call(command, runs_dir, VALUES, form)
    assert done.exit_code == 0
    assert done.stdout == snapshot
    assert done.stderr == ("the first 2 rows; --max-rows 0 shows all\n" if "max" in form else "")


def test_json_is_an_array_of_objects(runs_dir):
    found = json.loads(call(command, runs_dir, VALUES, "--json").stdout)
    assert [row["number"] for row in found] == ["NaN", "-Infinity", 0.1]
    assert found[0]["struct"] == {"x": "NaN"}
    assert found[0]["json"] == {"a": [1]}
    assert found[0]["huge"] == 12345678901234567890
    assert json.loads(call(command, runs_dir, "FROM range(0)", "--json").stdout) == []


def test_json_keeps_columns_of_one_name(runs_dir):
    done = call(command, runs_dir, "SELECT 1 AS a, 2 AS a, 3 AS a_1", "--json")
    assert json.loads(done.stdout) == [{"a": 1, "a_1": 2, "a_1_1": 3}]


def test_csv_reads_back(runs_dir):
    query = "SELECT 'two\nlines, \"quoted\"' AS a, 0.1 + 0.2 AS b, NULL AS c"
    rows = list(csv.reader(io.StringIO(call(command, runs_dir, query, "--csv").stdout)))
    assert rows[0] == ["a", "b", "c"]
    assert rows[1][0] == 'two\nlines, "quoted"'


def test_csv_ends_its_lines_as_every_csv_of_jaxpots_does(runs_dir):
    query = "SELECT 'a' || chr(13) || 'b' AS a, 'c' || chr(10) || 'd' AS b"
    outputs = {
        "sql": call(command, runs_dir, query, "--csv"),
        "schema": call(command, runs_dir, "--schema", "--csv"),
        "list": call(command, runs_dir, "--list", "--csv"),
        "export": call(export_command, runs_dir, "ttt", "-f", "csv"),
    }
    assert outputs["sql"].stdout_bytes == b'a,b\n"a\rb","c\nd"\n'
    for name, done in outputs.items():
        assert done.exit_code == 0, name
        assert b"\r\n" not in done.stdout_bytes and done.stdout_bytes.endswith(b"\n"), name


def test_a_table_shows_no_control_characters(runs_dir):
    done = call(command, runs_dir, "SELECT chr(27) || '[31m[bold]red' AS \"[x]\"")
    assert "\x1b" not in done.stdout
    assert "[31m[bold]red" in done.stdout
    assert "[x]" in done.stdout


def test_a_query_from_a_file_or_stdin(runs_dir, tmp_path):
    file = tmp_path / "query.sql"
    file.write_text("SELECT 7 AS a; -- é")
    for arguments, stdin in (
        (("-f", str(file)), None),
        ((), "SELECT 7 AS a"),
        (("-",), "SELECT 7 a"),
    ):
        done = call(command, runs_dir, "--csv", *arguments, stdin=stdin)
        assert done.stdout.split() == ["a", "7"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-f", "{folder}/none.sql"], "No such file"),
        (["-f", "{folder}"], "Is a directory"),
        (["-f", "{folder}/bad.sql"], "not UTF-8 text"),
        (["SELEC 1"], "syntax error"),
        ([""], "the query is empty"),
        (["FROM nope"], "nope does not exist"),
        (["DELETE FROM runs"], "read-only"),
        (["FROM '{folder}/bad.sql'"], "exist"),
        (["FROM read_text('{folder}/bad.sql')"], "--allow-files"),
        (
            ["SELECT 1) TO '{folder}/x.csv'; COPY (SELECT 1", "--parquet", "{folder}/o"],
            "syntax error",
        ),
        (["SELECT 1", "--parquet", "{folder}/none/o"], "none"),
    ],
)
def test_wrong_queries(runs_dir, tmp_path, arguments, text):
    (tmp_path / "bad.sql").write_bytes(b"\xff")
    done = call(command, runs_dir, *(argument.format(folder=tmp_path) for argument in arguments))
    assert done.stdout == ""
    assert isinstance(done.exception, UserError), done.exception
    assert text in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.sql"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["a", "-f", "b"],
        ["SELECT 1", "--csv", "--parquet", "x"],
        ["SELECT 1", "--nope"],
        ["SELECT 1", "--list"],
        ["--list", "--schema"],
        ["--schema", "--wide"],
        ["--schema", "--parquet", "x"],
        ["SELECT 1", "--keys", "a*"],
    ],
)
def test_wrong_options(runs_dir, arguments):
    assert call(command, runs_dir, *arguments).exit_code == 2


def test_parquet(runs_dir, tmp_path):
    target = tmp_path / "out.parquet"
    done = call(command, runs_dir, "FROM metric", "--parquet", str(target))
    assert done.stderr == f"{target}: 104 rows\n"
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == [target]
    with duckdb.connect() as connection:
        counted = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(target)])
        assert counted.fetchone() == (104,)


def test_allow_files(runs_dir, tmp_path):
    (tmp_path / "a.csv").write_text("x\n7\n")
    done = call(command, runs_dir, f"FROM '{tmp_path}/a.csv'", "--csv", "--allow-files")
    assert done.stdout.split() == ["x", "7"]


def test_without_runs_tables_are_empty_and_nothing_is_made(tmp_path):
    done = call(command, tmp_path / "none", "SELECT count(*) AS n FROM metric", "--json")
    assert json.loads(done.stdout) == [{"n": 0}]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("query", "given", "row"),
    [
        ("SELECT $run AS a", ["run=latest"], [SECOND]),
        ("SELECT $run AS a", ["run=quickstart"], [FIRST]),
        ("SELECT $other AS a", ["other=run:20261122-10"], [FIRST]),
        ("SELECT len($runs) AS a", ["runs=ttt,other"], [2]),
        ("SELECT $x + 1 AS a, $y AS b", ["x=1", "x=2.5", "y=total_loss"], [3.5, "total_loss"]),
        ("SELECT $x AS a", ["x=null"], [None]),
        ("SELECT $x AS a", ["x='; DROP TABLE runs; --"], ["'; DROP TABLE runs; --"]),
        ("SET VARIABLE b = $x; SELECT getvariable('b') AS a, $y AS c", ["x=1", "y=2"], [1, 2]),
        ("SELECT TIMESTAMPTZ '2026-11-22 10:00:00+00' AS a, $x AS b", ["x=1"], None),
    ],
)
def test_parameters(runs_dir, query, given, row):
    arguments = [word for assignment in given for word in ("-p", assignment)]
    (found,) = json.loads(call(command, runs_dir, query, "--json", *arguments).stdout)
    assert list(found.values()) == (row or ["2026-11-22T10:00:00.000000Z", 1])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["SELECT $a, $b", "-p", "b=1"], "parameters: a has no value; the query's are a, b"),
        (["SELECT $a", "-p", "a=1", "-p", "c=1"], "there is no c; the query's are a"),
        (["SELECT 1", "-p", "c=1"], "there is no c; the query has none"),
        (["SELECT 1", "-p", "c"], "NAME=VALUE"),
        (["SELECT $run", "-p", "run=nope"], "no run is called 'nope', or tagged so"),
        (["learning_curve"], "did you mean 'learning_curves'?"),
        (["--wide", "--keys", "nope"], "no key is like 'nope'"),
        (["--wide", "-p", "key=nope"], "there is no key; those here are run, runs"),
        (["SELECT 1", "--database", "{folder}/none"], "there is no such file"),
    ],
)
def test_wrong_parameters(runs_dir, tmp_path, arguments, text):
    done = call(command, runs_dir, *(argument.format(folder=tmp_path) for argument in arguments))
    assert done.stdout == ""
    assert isinstance(done.exception, UserError), done.exception
    assert text in str(done.exception)


def test_a_query_by_its_name(runs_dir, tmp_path, monkeypatch):
    query = ["learning_curves", "-p", "key=iteration/sps", "--csv"]
    rows = call(command, runs_dir, *query).stdout.splitlines()
    assert rows[0] == "iter,samples,seconds,value,mean"
    assert len(rows) == 1 + 6
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "mine.sql").write_text("-- Mine.\n-- $x = 3: a number\nSELECT $x AS a")
    monkeypatch.chdir(tmp_path)
    assert call(command, runs_dir, "mine", "--csv").stdout.split() == ["a", "3"]
    file = ["-f", "queries/mine.sql", "-p", "x=4", "--csv"]
    assert call(command, runs_dir, *file).stdout.split() == ["a", "4"]


def test_parameters_of_parquet(runs_dir, tmp_path):
    target = tmp_path / "out.parquet"
    query = ["SELECT $a AS a, $run AS run", "-p", "a=7", "-p", "run=latest"]
    call(command, runs_dir, *query, "--parquet", str(target))
    with duckdb.connect() as connection:
        found = connection.execute("FROM read_parquet(?)", [str(target)]).fetchall()
    assert found == [(7, SECOND)]


def test_wide(runs_dir):
    arguments = ["--wide", "-p", "run=latest", "--keys", "total*", "--keys", "eval*", "--csv"]
    header, *rows = call(command, runs_dir, *arguments).stdout.splitlines()
    assert header == "uid,run,iter,total_loss,eval_vs_random/win_rate"
    assert len(rows) == 6
    assert rows[5].startswith(f"{SECOND},other,5,NaN,")


def test_a_snapshot_is_asked(runs_dir, tmp_path):
    target = tmp_path / "one.duckdb"
    write_snapshot(Store(runs_dir), target, words=["latest"])
    query = "SELECT $run AS a, count(*) AS n FROM runs"
    done = call(
        command, tmp_path / "none", query, "-p", "run=other", "--database", str(target), "--csv"
    )
    assert done.stdout.split() == ["a,n", f"{SECOND},1"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_table_fits_the_terminal(runs_dir, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    store = Store(runs_dir)
    query = "SELECT uid, iterations, spec_digest, spec, started FROM runs ORDER BY uid"
    with store.reading() as connection:
        print_table(run_query(connection, query, path=store.path), 10)
    lines = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= width
    # Too narrow for five columns: one line per value instead.
    assert (lines[0] == "- 1 -") == (width == 40)
    assert "".join(lines).count("5d" * 4) > 0
