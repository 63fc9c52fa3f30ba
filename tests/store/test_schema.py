"""The database's schema and the package's surface, as others rely on them."""

from pathlib import Path

import jaxpot.store
from jaxpot.store import database
from jaxpot.store.tables import columns_of, table_names

VIEWS = {
    *("best", "gates", "latest", "league", "metric", "pieces", "spans", "standings"),
    "summary",
}


def test_schema(snapshot):
    with database.in_memory() as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
            "WHERE NOT internal AND table_name IN (SELECT unnest($1)) "
            "ORDER BY table_name, column_index",
            [[*table_names(), *VIEWS]],
        ).fetchall()
    lines = [
        f"{table}.{column} {kind}{'' if nullable else ' NOT NULL'}"
        for table, column, kind, nullable in columns
    ]
    assert "\n".join(lines) == snapshot(name="columns")
    described = {table for table, *_ in columns}
    assert described == VIEWS.union(table_names())


def test_no_table_has_an_index():
    with database.in_memory() as connection:
        assert connection.execute("FROM duckdb_indexes()").fetchall() == []


def test_columns_are_read_from_the_schema():
    with database.in_memory() as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        assert sorted(table_names()) == sorted(name for (name,) in tables)
        for table in table_names():
            described = connection.execute(f"DESCRIBE {table}").fetchall()
            assert {name: kind for name, kind, *_ in described} == columns_of(table)


def test_public_names(snapshot):
    names = jaxpot.store.__all__
    assert names == sorted(
        names, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
    assert all(hasattr(jaxpot.store, name) for name in names)
    assert names == snapshot


def test_no_public_name_is_a_module_s():
    """Importing a module of the package would put it in the place of the name."""
    modules = {path.stem for path in Path(jaxpot.store.__file__).parent.glob("*.py")}
    assert modules & set(jaxpot.store.__all__) == set()
