"""`jaxpot.open_store`."""

import subprocess
import sys

import pytest

import jaxpot
from jaxpot.errors import UserError
from jaxpot.store import QueryError, database
from jaxpot.store.snapshot import write_snapshot
from tests.store.journals import START, Writer, complete_run

FIRST, SECOND = "20261122-101530-aaaaaa", "20261122-111530-bbbbbb"


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Returns what asks two runs of one name."""
    runs_dir = tmp_path_factory.mktemp("open") / "runs"
    complete_run(runs_dir, FIRST)
    complete_run(runs_dir, SECOND, start=START + 3600)
    return jaxpot.open_store(runs_dir)


def test_questions_in_short(records):
    assert [row["uid"] for row in records.runs().dicts()] == [SECOND, FIRST]
    assert records.find("latest") == SECOND
    assert records.find("20261122-10") == FIRST
    series = records.series("ttt", "total_loss")
    assert series.columns == ["iter", "value", "seconds", "samples"]
    assert len(series.rows()) == 20
    counted = records.series("ttt", "total_loss", samples="iteration/sps").dicts()
    assert all(row["samples"] > 0 for row in counted)
    assert "optimizer.learning_rate" in records.params().columns
    assert records.sql("time_breakdown").rows()[0][0] == "update"
    assert records.sql("SELECT count(*) FROM runs WHERE uid = $run", run=SECOND[:12]).rows() == [
        (1,)
    ]


def test_an_answer_is_of_the_moment_and_holds_nothing(tmp_path):
    complete_run(tmp_path, FIRST)
    records = jaxpot.open_store(tmp_path)
    counted = records.sql("SELECT count(*) FROM runs")
    assert counted.rows() == [(1,)]
    with database.connect(records.path, read_only=False) as connection:
        connection.execute("SELECT 1")
    second = Writer(tmp_path, SECOND, start=START + 3600)
    second.header()
    assert counted.rows() == [(2,)]
    assert list(counted) == [(2,)]


def test_another_process_can_write_between_two_calls(records):
    answer = records.runs()
    answer.rows()
    code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('UPDATE runs SET seed = 1')"
    subprocess.run([sys.executable, "-c", code, str(records.path)], check=True, timeout=60)
    assert {row["seed"] for row in answer.dicts()} == {1}


@pytest.mark.parametrize(
    ("query", "parameters", "text"),
    [
        ("SELEC 1", {}, "syntax error"),
        ("learning_curve", {}, "did you mean 'learning_curves'"),
        ("SELECT $a", {}, "a has no value; the query's are a"),
        ("SELECT $a", {"a": 1, "b": 2}, "there is no b; the query's are a"),
        ("SELECT 1", {"b": 2}, "there is no b; the query has none"),
        ("SELECT ?", {}, r"write \$name"),
        ("DELETE FROM runs", {}, "read-only"),
        ("FROM read_text('/etc/hostname')", {}, "disabled"),
        ("SELECT $run", {"run": "nope"}, "no run is called 'nope'"),
    ],
)
def test_what_is_wrong_is_said_at_once(records, query, parameters, text):
    with pytest.raises(UserError, match=text):
        records.sql(query, **parameters).rows()


def test_a_parameter_is_bound(records):
    text = "'; DROP TABLE runs; --"
    assert records.sql("SELECT $a, $b", a=text, b=[1.5]).rows() == [(text, [1.5])]


@pytest.mark.parametrize("by", [-1, 1])
def test_another_version_s_snapshot_is_to_be_written_again(records, tmp_path, by):
    path = tmp_path / "one.duckdb"
    write_snapshot(records.store, path)
    with database.connect(path, read_only=False) as connection:
        connection.execute("UPDATE meta SET schema_version = schema_version + ?", [by])
    with pytest.raises(UserError, match="write it again with this jaxpot's `jaxpot snapshot`"):
        jaxpot.open_store(path).runs()


def test_a_snapshot_is_asked_likewise(records, tmp_path):
    write_snapshot(records.store, tmp_path / "one.duckdb", words=[FIRST])
    copy = jaxpot.open_store(tmp_path / "one.duckdb")
    assert [row["uid"] for row in copy.runs().dicts()] == [FIRST]
    assert copy.find("latest") == FIRST
    with pytest.raises(QueryError, match="read-only"):
        copy.sql("DELETE FROM runs").rows()


def test_what_stands_in_the_way_is_a_warning(tmp_path):
    run = complete_run(tmp_path, FIRST)
    run.raw(b"garbage\n")
    with pytest.warns(UserWarning, match="damaged"):
        assert len(jaxpot.open_store(tmp_path).runs().rows()) == 1


def test_what_is_not_there(tmp_path):
    with pytest.raises(UserError, match="there is no such file or folder"):
        jaxpot.open_store(tmp_path / "none")


def test_importing_jaxpot_stays_light():
    code = (
        "import jaxpot, sys; assert 'open_store' in jaxpot.__all__; "
        "print([m for m in ('duckdb', 'jaxpot.store', 'numpy', 'jax') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        jaxpot.nope  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
