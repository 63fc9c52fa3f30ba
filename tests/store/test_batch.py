"""Points as they go in and are sorted: the same answers, whatever was recorded."""

import json
import math
import shutil
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.store import Store, batch, database
from jaxpot.store.lines import take_line
from jaxpot.store.runs import RunLock
from jaxpot.store.state import RunState
from jaxpot.store.state import store as write_back
from tests.store.journals import START, complete_run
from tests.store.test_ingest import everything, value

NEVER = 1 << 60

numbers = st.one_of(
    st.floats(width=32).map(float),
    st.floats(),
    st.integers(-(2**53), 2**53),
    st.sampled_from([0.0, -0.0, 1.7976931348623157e308, 5e-324, 0.1]),
)
payloads = st.dictionaries(st.sampled_from("abcd"), numbers, max_size=4)
attempts = st.lists(
    st.tuples(st.integers(0, 6), st.lists(payloads, max_size=8)), min_size=1, max_size=4
)


@pytest.fixture
def eager(monkeypatch):
    """Sorts the points of a run that ended however few they are."""
    monkeypatch.setattr(batch, "WORTH_SORTING", 1)


@pytest.fixture(scope="module")
def memory():
    """Returns a database with the tables, for tests that roll back."""
    with database.in_memory() as connection:
        yield connection


def journal(run):
    """Yield the records of a run's attempts, each from an iteration on."""
    for number, (start, rows) in enumerate(run, 1):
        yield {"kind": "attempt", "attempt": number, "start_iter": start}
        for t, values in enumerate(rows, start):
            yield {"kind": "payload", "attempt": number, "iter": t, "values": values}


def spelled(number):
    """Give a number as a journal has it."""
    if isinstance(number, int) or math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def fill(connection, runs, *, pieces=1, worth=NEVER, part=NEVER, arrays=True):
    """Ingest runs that ended into an empty database, piece by piece.

    Args:
        connection: The database.
        runs: Each run's attempts, by a word for it.
        pieces: How many batches the records come in.
        worth: Points from which a run that ended is sorted; in the last batch only, all have ended.
        part: Points from which a run that goes on is sorted.
        arrays: Insert NumPy's arrays rather than lists.
    """
    states = {name: RunState(f"20261122-101530-{name}") for name in runs}
    records = [(name, record) for name, run in runs.items() for record in journal(run)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "WORTH_SORTING", worth)
        patch.setattr(batch, "PART_POINTS", part)
        patch.setattr(batch, "sys", SimpleNamespace(modules={"numpy": 0} if arrays else {}))
        for piece in range(pieces):
            rows = batch.Batch()
            first, end = (len(records) * n // pieces for n in (piece, piece + 1))
            for name, record in records[first:end]:
                timed = {**record, "time": START}
                if "values" in record:
                    timed["values"] = {key: spelled(it) for key, it in record["values"].items()}
                assert take_line(states[name], rows, json.dumps(timed).encode(), 1) is None
            ended = {state.run_id for state in states.values()} if piece == pieces - 1 else ()
            rows.insert(connection, ended=ended)
            write_back(connection, list(states.values()))


def rows(connection):
    """Give every row of the views, as text: a NaN is like another, -0.0 is not like 0.0."""
    queries = {
        "metric": "FROM metric",
        "latest": "FROM latest",
        # Of equal zeros, either is an extreme.
        "best": "SELECT * REPLACE (min + 0.0 AS min, max + 0.0 AS max) FROM best",
        "summary": "SELECT * EXCLUDE (mean) REPLACE (min + 0.0 AS min, max + 0.0 AS max) "
        "FROM summary",
    }
    return {
        view: sorted(map(repr, connection.execute(query).fetchall()))
        for view, query in queries.items()
    }


def means(connection):
    """Give the means of the summaries."""
    query = "SELECT mean FROM summary ORDER BY uid, key"
    return [mean for (mean,) in connection.execute(query).fetchall()]


@settings(max_examples=20, deadline=None)
@given(
    first=attempts,
    second=attempts,
    pieces=st.integers(1, 6),
    part=st.sampled_from([1, 5, NEVER]),
    arrays=st.booleans(),
)
def test_sorted_and_unsorted_points_give_the_same_answers(
    memory, first, second, pieces, part, arrays
):
    runs = {"a": first, "b": second}
    memory.begin()
    try:
        fill(memory, runs)
        assert memory.execute("SELECT count(*) FROM sorted_parts").fetchone() == (0,)
        expected, before = rows(memory), means(memory)
    finally:
        memory.rollback()
    memory.begin()
    try:
        fill(memory, runs, pieces=pieces, worth=1, part=part, arrays=arrays)
        assert memory.execute("SELECT count(*) FROM metrics WHERE part = 0").fetchone() == (0,)
        assert rows(memory) == expected
        after = means(memory)
        assert [mean is None for mean in after] == [mean is None for mean in before]
        assert [m for m in after if m is not None] == pytest.approx(
            [m for m in before if m is not None], rel=1e-12, abs=1e-300, nan_ok=True
        )
    finally:
        memory.rollback()


@settings(max_examples=15, deadline=None)
@given(values=st.lists(numbers, min_size=1, max_size=20), worth=st.sampled_from([1, NEVER]))
def test_every_double_keeps_its_bits(memory, values, worth):
    memory.begin()
    try:
        fill(memory, {"a": [(0, [{"k": it} for it in values])]}, worth=worth)
        found = memory.execute("SELECT value FROM metric ORDER BY iter").fetchall()
        assert [it.hex() for (it,) in found] == [float(it).hex() for it in values]
    finally:
        memory.rollback()


@pytest.mark.parametrize("arrays", [True, False])
def test_sorted_points_are_stored_by_key_and_run_and_iteration(memory, arrays):
    memory.begin()
    try:
        run = [(0, [{"a": 1, "b": 2}] * 3)]
        fill(memory, {"x": run, "y": run}, worth=1, arrays=arrays)
        found = memory.execute("SELECT key_id, run_id, iter FROM metrics").fetchall()
        assert len(found) == 12
        assert found == sorted(found)
    finally:
        memory.rollback()


def test_iterations_that_go_back_are_sorted_too(memory):
    memory.begin()
    try:
        fill(memory, {"a": [(5, [{"k": 1}, {"k": 2}]), (3, [{"k": 3}])]}, worth=1)
        parts = memory.execute("SELECT attempt, first_iter, last_iter, last FROM sorted_parts")
        assert sorted(parts.fetchall()) == [(1, 5, 6, 2.0), (2, 3, 3, 3.0)]
    finally:
        memory.rollback()


def test_a_running_run_is_sorted_only_where_it_is_long(runs_dir, run, eager, monkeypatch):
    monkeypatch.setattr(batch, "PART_POINTS", 40)
    store = Store(runs_dir)
    parts = "SELECT part, count(*) FROM metrics GROUP BY part ORDER BY part"
    with RunLock(run.folder):
        for first, expected in ((0, [(0, 32)]), (8, [(1, 64)]), (16, [(0, 32), (1, 64)])):
            run.payloads(range(first, first + 8))
            assert store.sql(parts)[1] == expected
        run.end()
        assert store.sql(parts)[1] == [(1, 64), (2, 32)]


def test_few_points_are_not_worth_sorting(runs_dir, run):
    run.payloads(range(20))
    run.end()
    assert value(runs_dir, "SELECT max(part) FROM metrics") == 0
    assert value(runs_dir, "SELECT count(*) FROM sorted_parts") == 0


def test_a_resumed_run_is_sorted_again(runs_dir, run, eager):
    run.payloads(range(8))
    run.end("stopped")
    assert value(runs_dir, "SELECT max(part) FROM metrics") == 1
    count = "SELECT count(*) FROM metric WHERE key = 'iter'"
    with RunLock(run.folder):
        run.start(5)
        assert value(runs_dir, count) == 5
        assert value(runs_dir, "SELECT last_iter FROM summary WHERE key = 'iter'") == 4
        run.payloads(range(5, 12))
        assert value(runs_dir, count) == 12
        assert value(runs_dir, "SELECT max(part) FROM metrics") == 1
    run.end()
    assert value(runs_dir, "SELECT points FROM summary WHERE key = 'iter'") == 12
    assert value(runs_dir, "SELECT max(part) FROM metrics") == 2
    before = everything(runs_dir)
    Store(runs_dir).rebuild()
    assert everything(runs_dir) == before
    assert value(runs_dir, "SELECT min(part) FROM metrics") == 1


def test_a_removed_run_takes_its_sorted_points_along(runs_dir, run, eager):
    other = complete_run(runs_dir, "20261122-101530-bbbbbb")
    assert value(runs_dir, "SELECT count(*) FROM metrics WHERE part > 0") == 80
    shutil.rmtree(other.folder)
    assert value(runs_dir, "SELECT count(*) FROM metrics") == 0
    assert value(runs_dir, "SELECT count(*) FROM sorted_parts") == 0


def scans(node):
    """Yield the filters of the scans of the points in an analyzed plan."""
    info = node.get("extra_info", {})
    if str(info.get("Table", "")).endswith("metrics"):
        yield str(info.get("Dynamic Filters"))
    for child in [*node.get("children", []), *node.get("operator", [])]:
        yield from scans(child)


def test_filters_on_the_run_and_the_key_reach_the_points(runs_dir, run):
    run.payloads(range(5))
    complete_run(runs_dir, "20261122-101530-bbbbbb")
    query = f"SELECT iter, value FROM metric WHERE uid = '{run.uid}' AND key = 'total_loss'"  # noqa: S608
    ((_, plan),) = Store(runs_dir).sql(f"EXPLAIN (ANALYZE, FORMAT json) {query}")[1]
    (filters,) = scans(json.loads(plan))
    assert "run_id = " in filters
    assert "key_id = " in filters
