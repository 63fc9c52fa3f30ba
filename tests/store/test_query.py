"""Users' SQL: one clear error, and answers that Python can hold."""

import pytest

from jaxpot.store import QueryError, Store, database
from jaxpot.store.query import run_query, write_parquet


def ask(store, query):
    with store.reading() as connection:
        result = run_query(connection, query, path=store.path)
        return result.columns, result.types, result.all()


@pytest.mark.parametrize("query", ["", "  ", ";", "-- nothing", "/* nothing */"])
def test_an_empty_query(runs_dir, query):
    with pytest.raises(QueryError, match="the query is empty"):
        ask(Store(runs_dir), query)


@pytest.mark.parametrize(
    "query",
    [
        "selec 1",
        "SELECT nope FROM runs",
        "SELECT 1 / 'x'::INT",
        "SELECT 1; SELEC 2",
        "SELECT (",
        "\ud800",
    ],
)
def test_a_wrong_query(runs_dir, query):
    with pytest.raises(QueryError) as caught:
        ask(Store(runs_dir), query)
    assert "Traceback" not in str(caught.value)


def test_an_error_among_the_rows_is_one_too(runs_dir):
    query = "SELECT CASE WHEN i = 99999 THEN error('there') ELSE i END FROM range(100000) AS t(i)"
    with pytest.raises(QueryError, match="there"):
        ask(Store(runs_dir), query)


def test_the_last_of_several_statements_answers(runs_dir):
    query = "SET VARIABLE a = 3; SELECT getvariable('a') AS a; -- done\n"
    assert ask(Store(runs_dir), query)[2] == [(3,)]


def test_a_statement_without_an_answer(runs_dir):
    columns, _, rows = ask(Store(runs_dir), "SET VARIABLE a = 3")
    assert (columns == [], rows) in ((True, []), (False, []))


def test_zoned_times_need_no_time_zone_library(runs_dir):
    query = (
        'SELECT TIMESTAMPTZ \'2026-11-22 10:15:30.5+02\' AS "a ""b", 1 AS a, 2 AS a, '
        "[TIMESTAMPTZ '2026-11-22 10:15:30+00'] AS l -- the end"
    )
    columns, types, rows = ask(Store(runs_dir), query)
    assert columns == ['a "b', "a", "a", "l"]
    assert types == ["VARCHAR", "INTEGER", "INTEGER", "VARCHAR"]
    assert rows[0][:3] == ("2026-11-22T08:15:30.500000Z", 1, 2)


def test_parquet(runs_dir, tmp_path):
    store, target = Store(runs_dir), tmp_path / "it's.parquet"
    with store.reading(output=target) as connection:
        query = "SET VARIABLE n = 7; SELECT * FROM range(getvariable('n'));"
        assert write_parquet(connection, query, target, path=store.path) == 7
        with pytest.raises(QueryError, match="file system operations are disabled"):
            run_query(connection, f"COPY (SELECT 1) TO '{tmp_path}/x.csv'", path=store.path)
    with database.in_memory(allow_files=True) as connection:
        counted = connection.execute("SELECT max(range) FROM read_parquet(?)", [str(target)])
        assert counted.fetchone() == (6,)


def test_a_refused_file_names_the_option(runs_dir, tmp_path):
    store = Store(runs_dir)
    (tmp_path / "a.csv").write_text("x\n7\n")
    query = f"FROM '{tmp_path}/a.csv'"
    with pytest.raises(QueryError, match="`jaxpot sql --allow-files`"):
        ask(store, query)
    with store.reading(allow_files=True) as connection:
        assert run_query(connection, query, path=store.path).all() == [(7,)]
