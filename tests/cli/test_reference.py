"""`jaxpot sql --schema` and `--list`."""

import csv
import io
import json

import pytest

from jaxpot.cli.sql import sql_command as command
from jaxpot.store import database
from tests.cli.runs import call


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Change to an empty folder."""
    monkeypatch.chdir(tmp_path)


def test_the_schema_in_every_form(tmp_path):
    found = json.loads(call(command, tmp_path, "--schema", "--json").stdout)
    named = {item["name"]: item for item in found}
    with database.in_memory() as connection:
        tables = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT internal UNION ALL "
            "SELECT view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
    assert {name for (name,) in tables} < set(named)
    assert named["series"]["parameters"] == ["run", "key", "samples"]
    text = call(command, tmp_path, "--schema").stdout
    markdown = call(command, tmp_path, "--schema", "--markdown").stdout
    rows = list(csv.DictReader(io.StringIO(call(command, tmp_path, "--schema", "--csv").stdout)))
    for item in found:
        assert f"{item['kind']} {item['name']}" in text
        assert item["comment"] in markdown
        for column in item.get("columns", ()):
            assert f"| `{column['name']}` | {column['type']} | {column['comment']} |" in markdown
            assert {"kind": item["kind"], "name": item["name"]}.items() <= next(
                row for row in rows if row["name"] == item["name"]
            ).items()


def test_a_view_as_text(tmp_path, snapshot):
    text = call(command, tmp_path, "--schema").stdout
    assert next(part for part in text.split("\n\n") if part.startswith("view latest")) == snapshot
    assert next(part for part in text.split("\n\n") if "macro series" in part) == snapshot


def test_the_list_in_every_form(tmp_path):
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "mine.sql").write_text("-- Mine.\n-- $x = 3: a number\nSELECT $x")
    found = {q["name"]: q for q in json.loads(call(command, tmp_path, "--list", "--json").stdout)}
    assert found["mine"] == {
        "name": "mine",
        "summary": "Mine.",
        "parameters": [{"name": "x", "default": "3", "summary": "a number"}],
        "source": "queries/mine.sql",
        "sql": "-- Mine.\n-- $x = 3: a number\nSELECT $x",
    }
    text = call(command, tmp_path, "--list").stdout
    assert "mine  Mine.  (queries/mine.sql)\n    $x = 3: a number\n" in text
    assert "seeds  The last value" in text
    assert "| `mine` | x=3 | Mine. |" in call(command, tmp_path, "--list", "--markdown").stdout
    assert "mine,x=3,Mine.,queries/mine.sql" in call(command, tmp_path, "--list", "--csv").stdout
