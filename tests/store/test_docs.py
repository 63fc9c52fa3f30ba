"""docs/store.md: its queries run, and it names every table, view and column."""

import re
from pathlib import Path

import pytest

from jaxpot.store import Store, database
from tests.store.journals import complete_run

TEXT = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns a store of two runs of one name."""
    runs_dir = tmp_path_factory.mktemp("docs") / "runs"
    for uid in ("20261122-101530-aaaaaa", "20261122-111530-bbbbbb"):
        complete_run(runs_dir, uid)
    return Store(runs_dir)


@pytest.mark.parametrize("query", QUERIES)
def test_queries_answer(store, query):
    columns, rows = store.sql(query)
    assert columns
    assert rows
    assert all(value is not None for value in rows[0])


def test_every_column_is_described():
    with database.in_memory() as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
    sections = dict(re.findall(r"^#+ ([a-z_, ]+)\n(.*?)(?=^#|\Z)", TEXT, re.DOTALL | re.MULTILINE))
    views = dict(re.findall(r"^\| `(\w+)` \| (.*)$", TEXT, re.MULTILINE))
    by_table = {name: body for title, body in sections.items() for name in title.split(", ")}
    missing = [
        f"{table}.{column}"
        for table, column in columns
        if f"`{column}`" not in by_table.get(table, "") + views.get(table, "")
    ]
    assert missing == []
