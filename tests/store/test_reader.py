"""`Store`: listing and describing runs."""

import subprocess
import sys

import pytest

from jaxpot.errors import UserError
from jaxpot.store import QueryError, Store
from jaxpot.store.describe import SHOWN
from tests.store.journals import START, complete_run


@pytest.fixture
def store(runs_dir):
    """Returns a store of two runs."""
    complete_run(runs_dir, "20261122-101530-aaaaaa")
    complete_run(runs_dir, "20261122-101530-bbbbbb", name="other", start=START - 50)
    return Store(runs_dir)


def test_runs_are_listed_newest_first(store, snapshot):
    rows = store.runs()
    assert [row.name for row in rows] == ["ttt", "other"]
    assert rows[0]._asdict() == snapshot


def test_show_has_everything(store, snapshot):
    found = store.show("latest")
    assert tuple(found) == SHOWN
    assert {name: found[name] for name in SHOWN if name not in ("spec", "metrics", "best")} == (
        snapshot
    )
    assert found["spec"]["optimizer"] == {"kind": "adamw", "learning_rate": 0.001}
    assert list(found["metrics"]) == [
        *("iter", "total_loss", "iteration/sps", "eval_vs_random/win_rate")
    ]
    assert found["metrics"]["iter"] == 19
    assert isinstance(found["metrics"]["iter"], int)
    assert found["best"]["iter"] == {"min": 0, "max": 19, "min_iter": 0, "max_iter": 19}


def test_best_names_the_first_iteration_of_equals(runs_dir, run):
    for iteration, value in enumerate([2.0, 1.0, 3.0, 1.0, 3.0]):
        run.payload(iteration, {"total_loss": value})
    assert Store(runs_dir).show(run.uid)["best"]["total_loss"] == {
        "min": 1.0,
        "max": 3.0,
        "min_iter": 1,
        "max_iter": 2,
    }


def test_time_adds_up_over_attempts(runs_dir, run):
    run.event("time", {"compile": 1.0, "update": 1.0})
    run.event("time", {"compile": 1.0, "update": 4.0})
    run.start(0)
    run.event("time", {"compile": 0.5, "update": 2.0, "save": 0.25})
    assert Store(runs_dir).show(run.uid)["time"] == {"compile": 1.5, "update": 6.0, "save": 0.25}


def test_gates_are_those_of_the_newest_attempt(runs_dir, run):
    gate = {"metric": "total_loss", "at": "last", "min": None, "max": 1.0, "value": None}
    run.event("expect", {**gate, "judged": False, "passed": None})
    run.start(0)
    run.event("expect", {**gate, "value": 0.5, "judged": True, "passed": True})
    (found,) = Store(runs_dir).describe(run.uid)["expect"]
    assert found["judged"] is True


def test_a_run_of_one_line_can_be_shown(runs_dir, run):
    run.path.write_bytes(b"garbage\n")
    store = Store(runs_dir)
    (row,) = store.runs()
    assert (row.name, row.status, row.iterations) == (run.uid, "interrupted", 0)
    found = store.show(run.uid)
    assert (found["spec"], found["metrics"], found["checkpoints"]) == (None, {}, [])


def test_an_unknown_run_is_a_user_error(store):
    with pytest.raises(UserError, match="is called 'nope'"):
        store.show("nope")


def test_reading_nothing_makes_nothing(runs_dir):
    store = Store(runs_dir)
    assert store.runs() == []
    assert store.sql("SELECT count(*) FROM metric")[1] == [(0,)]
    with pytest.raises(UserError, match="there is no run in"):
        store.show("latest")
    assert not runs_dir.exists()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "FROM read_text('/etc/hostname')",
        "FROM '/etc/passwd'",
        "FROM glob('/*')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "COPY notes FROM '/etc/passwd'",
        "EXPORT DATABASE '{folder}/out'",
        "ATTACH '{folder}/other.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET threads",
        "PRAGMA enable_profiling",
        "DELETE FROM runs",
        "CREATE TABLE t(a INT)",
        "DROP VIEW metric",
        "UPDATE runs SET name = 'x'",
        "SELECT getenv('HOME')",
    ],
)
def test_queries_only_read_and_only_here(store, query, tmp_path):
    store.ingest()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(QueryError):
        store.sql(query.format(folder=tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


def test_python_variables_are_no_tables(store):
    frame = {"a": [1, 2]}
    assert frame
    with pytest.raises(QueryError, match="frame does not exist"):
        store.sql("SELECT * FROM frame")


def test_no_lock_is_held_between_queries(store):
    store.sql("SELECT 1")
    code = "import sys, duckdb; duckdb.connect(sys.argv[1]).execute('CHECKPOINT')"
    subprocess.run([sys.executable, "-c", code, str(store.path)], check=True)


def test_importing_the_store_imports_nothing_heavy():
    code = (
        "import sys, jaxpot.store; "
        "heavy = {'duckdb', 'numpy', 'jax', 'rich', 'attr', 'cattrs', 'subprocess', 'click'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_listing_what_is_up_to_date_imports_neither_numpy_nor_the_ingest(store):
    store.ingest()
    code = (
        "import sys; from jaxpot.store import Store; Store(sys.argv[1]).runs(); "
        "print(sorted({'numpy', 'jax', 'rich', 'cattrs', 'jaxpot.store.ingest'} "
        "& set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(store.runs_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
