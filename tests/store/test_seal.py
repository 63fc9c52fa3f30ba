"""Sorting points for good: the same answers before and after, whatever was recorded."""

import json
import math
import random
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.store import Store, database, freshness, parts, seal, sorting, unread
from jaxpot.store.batch import Batch
from jaxpot.store.lines import take_line
from jaxpot.store.runs import RunLock
from jaxpot.store.state import RunState
from jaxpot.store.state import store as write_back
from tests.store.journals import START, Writer, complete_run
from tests.store.test_ingest import everything, value

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


def fill(connection, runs, *, status="completed"):
    """Ingest runs into an empty database."""
    states, batch = [], Batch()
    for name, run in runs.items():
        state = RunState(f"20261122-101530-{name}")
        state.run["status"] = status
        for record in journal(run):
            record = {**record, "time": START}
            if "values" in record:
                record["values"] = {key: spelled(it) for key, it in record["values"].items()}
            before = batch.points
            assert take_line(state, batch, json.dumps(record).encode(), 1) is None
            state.unsorted += batch.points - before
        state.run["status"] = status
        states.append(state)
    batch.insert(connection)
    write_back(connection, states)


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


@pytest.fixture(scope="module")
def memory():
    """Returns a database with the tables, for tests that roll back."""
    with database.in_memory() as connection:
        yield connection


@settings(max_examples=8, deadline=None)
@given(first=attempts, second=attempts, size=st.sampled_from([1, 5, 1000]), steps=st.integers(0, 9))
def test_sorted_and_unsorted_points_give_the_same_answers(memory, first, second, size, steps):
    memory.begin()
    try:
        fill(memory, {"a": first, "b": second})
        unsorted, before = rows(memory), means(memory)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(seal, "PART_POINTS", size)
            for _ in range(steps):
                seal.seal(memory)
            assert rows(memory) == unsorted  # also half-way
            while seal.seal(memory):
                pass
        assert rows(memory) == unsorted
        after = means(memory)
        assert [mean is None for mean in after] == [mean is None for mean in before]
        assert [m for m in after if m is not None] == pytest.approx(
            [m for m in before if m is not None], rel=1e-12, abs=1e-300, nan_ok=True
        )
        assert memory.execute("SELECT count(*) FROM metrics").fetchone() == (0,)
        assert memory.execute("SELECT sum(unsorted) FROM journal_pos").fetchone() == (0,)
    finally:
        memory.rollback()


@settings(max_examples=15, deadline=None)
@given(values=st.lists(numbers, min_size=1, max_size=20))
def test_every_double_keeps_its_bits(memory, values):
    memory.begin()
    try:
        fill(memory, {"a": [(0, [{"k": it} for it in values])]})
        while seal.seal(memory):
            pass
        found = memory.execute("SELECT value FROM metric ORDER BY iter").fetchall()
        assert [it.hex() for (it,) in found] == [float(it).hex() for it in values]
    finally:
        memory.rollback()


def test_float32_values_take_half_the_room(memory):
    memory.begin()
    try:
        fill(memory, {"a": [(0, [{"single": 0.25, "double": 0.1}, {"single": 1.5, "double": 1}])]})
        seal.seal(memory)
        query = "SELECT key_id, value32, value64 FROM sorted_metrics ORDER BY ALL"
        assert memory.execute(query).fetchall() == [
            *((0, 0.25, None), (0, 1.5, None), (1, None, 0.1), (1, None, 1.0))
        ]
    finally:
        memory.rollback()


def test_points_lie_by_key_and_run_and_iteration(memory):
    memory.begin()
    try:
        run = [(0, [{"a": 1, "b": 2}] * 3)]
        fill(memory, {"x": run, "y": run})
        seal.seal(memory)
        found = memory.execute("SELECT key_id, run_id, iter FROM sorted_metrics").fetchall()
        assert len(found) == 12
        assert found == sorted(found)
    finally:
        memory.rollback()


@pytest.mark.parametrize("status", ["running", "completed"])
def test_a_running_run_is_sorted_only_where_it_is_long(memory, monkeypatch, status):
    monkeypatch.setattr(seal, "PART_POINTS", 4)
    memory.begin()
    try:
        fill(memory, {"a": [(0, [{"k": 1}] * 10)]}, status=status)
        moved = 0
        while points := seal.seal(memory):
            moved += points
        assert moved == (0 if status == "running" else 10)
        memory.execute("UPDATE journal_pos SET unsorted = $1", [freshness.LONG_RUN_POINTS])
        assert seal.seal(memory) == (4 if status == "running" else 0)
    finally:
        memory.rollback()


def test_a_resumed_run_is_sorted_again(runs_dir, run):
    run.payloads(range(8))
    run.end("stopped")
    store = Store(runs_dir)
    store.ingest()
    assert sorting.sort_all(runs_dir) == 32
    run.start(5)
    count = "SELECT count(*) FROM metric WHERE key = 'iter'"
    assert value(runs_dir, count) == 5
    assert value(runs_dir, "SELECT last_iter FROM summary WHERE key = 'iter'") == 4
    run.payloads(range(5, 12))
    run.end()
    assert value(runs_dir, count) == 12
    before = everything(runs_dir)
    assert sorting.sort_all(runs_dir) == 28
    assert everything(runs_dir) == before
    assert value(runs_dir, "SELECT points FROM summary WHERE key = 'iter'") == 12
    assert value(runs_dir, "SELECT max(part) FROM sorted_metrics") == 1
    assert sorting.sort_all(runs_dir) == 0


def test_a_removed_run_leaves_the_sorted_points_too(runs_dir, run):
    other = complete_run(runs_dir, "20261122-101530-bbbbbb")
    Store(runs_dir).ingest()
    assert sorting.sort_all(runs_dir) == 80
    shutil.rmtree(other.folder)
    assert value(runs_dir, "SELECT count(*) FROM sorted_metrics") == 0
    assert value(runs_dir, "SELECT count(*) FROM sorted_parts") == 0


def test_many_points_are_sorted_as_they_come_in(runs_dir, run, monkeypatch):
    monkeypatch.setattr(unread, "FEW_POINTS", 30)
    run.payloads(range(10))
    store = Store(runs_dir)
    with RunLock(run.folder):
        store.ingest()
        assert value(runs_dir, "SELECT count(*) FROM sorted_metrics") == 0
    run.payloads(range(10, 20))
    run.end()
    other = complete_run(runs_dir, "20261122-101530-bbbbbb")
    store.ingest()
    query = (
        "SELECT uid, count(*) FROM sorted_metrics JOIN runs USING (run_id) GROUP BY 1 ORDER BY 1"
    )
    assert store.sql(query)[1] == [(run.uid, 40), (other.uid, 80)]
    assert value(runs_dir, "SELECT count(*) FROM metrics") == 40
    assert sorting.sort_all(runs_dir) == 40
    before = everything(runs_dir)
    store.rebuild()
    assert everything(runs_dir) == before
    assert value(runs_dir, "SELECT count(*) FROM metrics") == 0


def test_iterations_that_go_back_are_sorted_too():
    import numpy as np

    piece = parts.Piece(
        *(1, 1, np.array([5, 3, 4], np.int32), np.array([0, 0, 0], np.int32), np.arange(3.0))
    )
    assert parts._by_iteration(piece).iter.tolist() == [3, 4, 5]


KILLED = """
import os, random, sys, threading, time
from pathlib import Path
from jaxpot.store import seal, sorting
seal.PART_POINTS = 60
sorting._PAUSE_SECONDS = 0.0
print("ready", flush=True)
sorting.sort_all(Path(sys.argv[1]))
"""


def test_kills_on_the_way_lose_and_double_nothing(runs_dir):
    draw = random.Random(3)
    for number in range(3):
        run = Writer(runs_dir, f"20261122-101530-{number:06x}")
        run.header()
        run.start()
        run.payloads(range(100))
        run.start(80)
        run.payloads(range(80, 120))
        run.end()
    store = Store(runs_dir)
    store.ingest()
    before = everything(runs_dir)
    query = "SELECT * EXCLUDE (mean) FROM summary ORDER BY ALL"
    summary = store.sql(query)[1]
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(runs_dir)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        delay = draw.uniform(0.15, 0.6)
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=delay)
        process.kill()
        process.communicate()
        assert everything(runs_dir) == before
        assert store.sql(query)[1] == summary
    assert value(runs_dir, "SELECT count(*) FROM sorted_metrics") > 0
    sorting.sort_all(runs_dir)
    assert everything(runs_dir) == before
    assert store.sql(query)[1] == summary
    assert value(runs_dir, "SELECT count(*) FROM metrics") == 0


def scans(node):
    """Yield the scans of the tables of points in an analyzed plan, with their filters."""
    info = node.get("extra_info", {})
    if str(info.get("Table", "")).endswith("metrics"):
        yield info["Table"].rpartition(".")[2], str(info.get("Dynamic Filters"))
    for child in [*node.get("children", []), *node.get("operator", [])]:
        yield from scans(child)


def test_filters_on_the_run_and_the_key_reach_both_tables(runs_dir, run):
    run.payloads(range(5))
    complete_run(runs_dir, "20261122-101530-bbbbbb")
    store = Store(runs_dir)
    store.ingest()
    sorting.sort_all(runs_dir)
    later = complete_run(runs_dir, "20261122-101530-cccccc")
    for uid in (run.uid, later.uid):
        query = f"SELECT iter, value FROM metric WHERE uid = '{uid}' AND key = 'total_loss'"  # noqa: S608
        ((_, plan),) = store.sql(f"EXPLAIN (ANALYZE, FORMAT json) {query}")[1]
        found = dict(scans(json.loads(plan)))
        assert sorted(found) == ["metrics", "sorted_metrics"]
        for filters in found.values():
            assert "run_id = " in filters
            assert "key_id = " in filters
