"""Ingesting: every line once, damaged ones named, wherever the journal is cut."""

import json
import math
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.store import RunLock, Store, database, ingest
from jaxpot.store.batch import Batch
from jaxpot.store.lines import take_line
from jaxpot.store.state import RunState, load
from jaxpot.store.state import store as write_back
from jaxpot.store.unread import Unread
from tests.store.journals import SPEC, START, Writer, complete_run

TABLES = (
    *("runs", "attempts", "params", "keys", "iters", "metrics", "checkpoints", "events"),
    *("league_standings", "histograms", "digests", "tags", "notes", "journal_pos"),
)


def everything(runs_dir):
    """Give every row of every table, in its own order, wherever its points are."""
    rows = {"metrics": "SELECT * EXCLUDE (part) FROM metrics"}
    with Store(runs_dir).reading() as connection:
        return {
            table: sorted(
                map(repr, connection.execute(rows.get(table, f"FROM {table}")).fetchall())
            )
            for table in TABLES
        }


def value(runs_dir, query):
    """Give the one value that a query answers with."""
    ((found,),) = Store(runs_dir).sql(query)[1]
    return found


def test_one_of_everything(runs_dir, snapshot):
    complete_run(runs_dir, "20261122-101530-aaaaaa")
    report = Store(runs_dir).ingest()
    assert (report.runs, report.points, report.notices()) == (1, 80, [])
    with Store(runs_dir).reading() as connection:
        for table in TABLES:
            if table not in ("metrics", "iters"):
                rows = connection.execute(f"FROM {table} ORDER BY ALL").fetchall()
                assert rows == snapshot(name=table)
        counted = "SELECT count(*), count(DISTINCT digest), min(time), max(time) FROM iters"
        assert connection.execute(counted).fetchall() == snapshot(name="iters")


def test_a_second_ingest_adds_nothing(runs_dir, run):
    run.payloads(range(5))
    store = Store(runs_dir)
    assert store.ingest().points == 20
    assert store.ingest().points == 0
    run.payloads(range(5, 7))
    assert store.ingest().points == 8
    assert value(runs_dir, "SELECT count(*) FROM metric") == 28


def test_a_torn_last_line_waits(runs_dir, run):
    run.payload(0)
    run.raw(b'{"kind":"payload","time":1795000009.0,"attempt":1,"iter":1,')
    store = Store(runs_dir)
    assert store.ingest().points == 4
    assert store.runs()[0].lag_bytes == 59
    run.raw(b'"values":{"total_loss":0.25}}\n')
    assert store.ingest().points == 1
    assert store.runs()[0].lag_bytes == 0
    assert value(runs_dir, "SELECT value FROM metric WHERE iter = 1") == 0.25


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"garbage", "not JSON: "),
        (b"", "not JSON: "),
        (b"\xff\xfe\x00", "not JSON: "),
        (b"[" * 100_000, "nested too deep"),
        (b"[1]", "not a JSON object"),
        (b"{}", "no kind"),
        (b'{"kind":"tag","tag":"x"}', "no time"),
        (b'{"kind":"payload","time":1.0}', "no attempt"),
        (b'{"kind":"note","text":"x","time":1e300}', "time: expected `float` <= "),
        (b'{"kind":"payload","time":1.0,"attempt":1,"iter":-1}', "iter: expected `int` >= 0"),
        (
            b'{"kind":"payload","time":1.0,"attempt":1,"iter":1.5}',
            "iter: expected `int`, got `float`",
        ),
        (
            b'{"kind":"payload","time":1.0,"attempt":1,"iter":true}',
            "iter: expected `int`, got `bool`",
        ),
        (
            b'{"kind":"payload","time":1.0,"attempt":1,"iter":4294967296}',
            "iter: expected `int` <= ",
        ),
        (
            b'{"kind":"payload","time":1.0,"attempt":1,"iter":1,"values":[]}',
            "values: expected `object`",
        ),
        (
            b'{"kind":"payload","time":1.0,"attempt":1,"iter":1,"values":{"a":1.0,"b":null}}',
            "values[...]: expected ",
        ),
        (b'{"kind":"note","time":1.0,"text":"\\ud800"}', "not JSON: "),
        (b'{"kind":"header","time":1.0,"journal_version":1,"uid":"../x"}', "its uid is not"),
        (b'{"kind":"header","time":1.0}', "no journal_version"),
        (b'{"kind":"event","time":1.0,"name":"x","payload":NaN}', "not JSON: "),
    ],
)
def test_a_damaged_line_is_named_and_skipped(runs_dir, run, line, reason):
    run.payload(0)
    offset = run.path.stat().st_size
    run.raw(line + b"\n")
    run.payload(1)
    report = Store(runs_dir).ingest()
    assert report.points == 8
    (notice,) = report.notices()
    assert notice.startswith(f"{run.path}: skipped the damaged line at byte {offset}: {reason}")
    event = value(runs_dir, "SELECT payload FROM events WHERE kind = 'journal_skip'")
    assert json.loads(event)["offset"] == offset
    assert json.loads(event)["bytes"] == len(line)


def test_many_damaged_lines_are_counted(runs_dir, run):
    run.raw(b"garbage\n" * 10)
    notices = Store(runs_dir).ingest().notices()
    assert len(notices) == 4
    assert notices[-1] == f"{run.path}: skipped 10 damaged lines in all"


numbers = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-5, 50),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["NaN", "Infinity", "\0", "\ud800", "'; DROP TABLE runs; --"]),
)
trees = st.recursive(
    numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
NAMES = """
attempt iter iteration iterations start_iter type state values name payload counts keys spec tags
text tag status standings scope score bytes digest exit_reason seed
"""
KINDS = """
attempt keys payload digests histogram standings checkpoint event tag note end header novel
"""
names = st.sampled_from(NAMES.split())
kinds = st.sampled_from(KINDS.split())
damaged = st.builds(
    lambda kind, fields: {"kind": kind, "time": START, "journal_version": 1, **fields},
    kinds,
    st.dictionaries(names, trees, max_size=8),
)


@pytest.fixture(scope="module")
def memory():
    """Returns a database with the tables, for tests that roll back."""
    with database.in_memory() as connection:
        yield connection


@settings(max_examples=15, deadline=None)
@given(records=st.lists(damaged, min_size=10, max_size=20))
def test_no_record_makes_the_database_refuse_a_batch(memory, records):
    state, batch = RunState("20261122-101530-aaaaaa"), Batch()
    skipped = 0
    state.position = 1  # not at the header, which alone can refuse a whole journal
    for record in records:
        skipped += take_line(state, batch, json.dumps(record).encode(), 0) is not None
    memory.begin()
    try:
        batch.insert(memory)
        write_back(memory, [state])
        assert load(memory, [state.uid])[state.uid].run == state.run
        for view in ("league", "standings"):
            memory.execute(f"FROM {view}").fetchall()
        found = memory.execute("SELECT count(*) FROM events WHERE kind = 'journal_skip'").fetchone()
        assert found == (skipped,)
    finally:
        memory.rollback()


@pytest.mark.parametrize("burst", [1000, 4000])
def test_pieces_of_any_size_mean_the_same(runs_dir, tmp_path, monkeypatch, burst):
    complete_run(runs_dir, "20261122-101530-a")
    run = Writer(runs_dir, "20261122-101530-c")
    run.header()
    run.start()
    run.payloads(range(12))
    run.raw(b"garbage\n")
    run.start(6)
    run.payload(6, {"new_key": 1.0})
    other = tmp_path / "other"
    shutil.copytree(runs_dir, other)
    monkeypatch.setattr(ingest, "_PAUSE_SECONDS", 0.0)
    whole = everything(runs_dir)
    monkeypatch.setattr(ingest, "BURST_BYTES", burst)
    assert everything(other) == whole


def test_a_future_journal_is_refused_and_others_go_on(runs_dir, run):
    run.payload(0)
    future = Writer(runs_dir, "20270101-000000-ffffff")
    future.header(journal_version=2)
    report = Store(runs_dir).ingest()
    assert report.points == 4
    assert report.notices() == [
        f"run {future.uid} is not in the database: its journal has version 2, this jaxpot reads "
        "1; upgrade jaxpot"
    ]
    assert [row.lag_bytes for row in Store(runs_dir).runs()][-1] == 0


def test_a_journal_that_cannot_be_read_keeps_nobody_else_out(runs_dir, run, monkeypatch):
    run.payload(0)
    other = complete_run(runs_dir, "20261122-101530-bbbbbb")
    lines = Unread._lines

    def fail(piece, room):
        if piece.file.uid == run.uid:
            raise OSError(5, "Input/output error")
        return lines(piece, room)

    monkeypatch.setattr(Unread, "_lines", fail)
    report = Store(runs_dir).ingest()
    assert report.refused == {run.uid: "its journal: Input/output error"}
    assert report.points == 80
    monkeypatch.undo()
    assert Store(runs_dir).ingest().points == 4
    assert {row.uid for row in Store(runs_dir).runs()} == {run.uid, other.uid}


def test_not_finite_values_come_back(runs_dir, run):
    run.payload(0, {"total_loss": "NaN", "iteration/sps": "Infinity", "iter": "-Infinity"})
    rows = Store(runs_dir).sql("SELECT key, value FROM latest")[1]
    found = dict(rows)
    assert math.isnan(found["total_loss"])
    assert found["iteration/sps"] == math.inf
    assert found["iter"] == -math.inf
    assert value(runs_dir, "SELECT list(key) FROM best") == ["eval_vs_random/win_rate"]


def test_every_double_keeps_its_bits(runs_dir, run):
    wanted = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 2.0**53]
    for iteration, number in enumerate(wanted):
        run.payload(iteration, {"total_loss": number})
    query = "SELECT value FROM metric WHERE key = 'total_loss' ORDER BY iter"
    found = [row[0] for row in Store(runs_dir).sql(query)[1]]
    assert [number.hex() for number in found] == [number.hex() for number in wanted]


def test_many_points_take_the_array_path(runs_dir, run, monkeypatch):
    monkeypatch.setattr("jaxpot.store.batch.FEW_POINTS", 10)
    run.payloads(range(10))
    run.payload(10, {"total_loss": "NaN"})
    Store(runs_dir).ingest()
    assert value(runs_dir, "SELECT count(*) FROM metric") == 44
    assert value(runs_dir, "SELECT sum(iter) FROM metric WHERE key = 'iter'") == 55
    assert value(runs_dir, "SELECT count(*) FROM metric WHERE isnan(value)") == 1


def test_the_array_path_needs_no_digest(runs_dir, run, monkeypatch):
    monkeypatch.setattr("jaxpot.store.batch.FEW_POINTS", 0)
    for iteration in range(3):
        run.record("payload", attempt=1, iter=iteration, values={"a": 1}, digest=None)
    assert Store(runs_dir).sql("SELECT iter, digest FROM iters ORDER BY 1")[1] == [
        *((0, None), (1, None), (2, None))
    ]


def test_superseded_rows_are_kept_but_not_shown(runs_dir, run):
    run.payloads(range(8))
    run.start(5)
    run.payloads(range(5, 7))
    assert value(runs_dir, "SELECT count(*) FROM iters") == 10
    assert value(runs_dir, "SELECT count(*) FROM metric WHERE key = 'iter'") == 7
    assert value(runs_dir, "SELECT max(iter) FROM latest") == 6
    assert Store(runs_dir).runs()[0].iterations == 7


def test_a_journal_that_lost_lines_is_taken_in_anew(runs_dir, run):
    """A power cut takes back lines that were ingested from the page cache."""
    run.payloads(range(5))
    size = run.path.stat().st_size
    run.payloads(range(5, 8))
    Store(runs_dir).ingest()
    with run.path.open("r+b") as journal:
        journal.truncate(size)
    run.start(5)
    run.payloads(range(5, 20))
    Store(runs_dir).ingest()
    query = "SELECT list(iter ORDER BY iter) FROM metric WHERE key = 'iter'"
    assert value(runs_dir, query) == list(range(20))
    assert value(runs_dir, "SELECT count(*) FROM iters") == 20


def test_a_removed_run_leaves(runs_dir, run):
    other = complete_run(runs_dir, "20261122-101530-bbbbbb")
    Store(runs_dir).ingest()
    shutil.rmtree(other.folder)
    assert [row.uid for row in Store(runs_dir).runs()] == [run.uid]
    left = everything(runs_dir)
    assert not left["notes"]
    assert len(left["journal_pos"]) == 1


def test_status_of_a_run_without_an_end(runs_dir, run):
    run.payload(0)
    with RunLock(run.folder):
        assert Store(runs_dir).runs()[0].status == "running"
    assert Store(runs_dir).runs()[0].status == "interrupted"
    assert value(runs_dir, "SELECT status FROM attempts") == "interrupted"
    with RunLock(run.folder):
        run.start(0)
        assert Store(runs_dir).runs()[0].status == "running"
        run.payload(0)
        run.end("stopped")
        assert Store(runs_dir).runs()[0].status == "stopped"
    assert Store(runs_dir).sql("SELECT status FROM attempts ORDER BY attempt")[1] == [
        ("interrupted",),
        ("stopped",),
    ]


def test_a_checkpoint_has_one_row_with_its_newest_state(runs_dir, run):
    query = "SELECT attempt, iteration, state, bytes, score, error FROM checkpoints ORDER BY 2"
    run.checkpoint(100, "begun")
    store = Store(runs_dir)
    assert store.sql(query)[1] == [(1, 100, "begun", None, None, None)]
    run.checkpoint(100, "committed", bytes=7, score="NaN")
    run.checkpoint(200, "begun")
    run.checkpoint(200, "failed", error="disk full")
    found = store.sql(query)[1]
    assert math.isnan(found[0][4])
    assert [row[:4] for row in found] == [(1, 100, "committed", 7), (1, 200, "failed", None)]
    assert found[1][5] == "disk full"
    run.checkpoint(100, "deleted")
    run.start(100)
    run.checkpoint(200, "begun")
    run.checkpoint(200, "committed", bytes=9)
    found = store.sql(query)[1]
    assert [row[:4] for row in found] == [(1, 100, "deleted", 7), (2, 200, "committed", 9)]
    assert found[1][5] is None


def test_a_resumed_run_can_change_its_spec(runs_dir, run):
    run.start(5, spec={**SPEC, "iterations": 40, "seed": 42}, spec_digest="new")
    assert value(runs_dir, "SELECT target FROM runs") == 40
    assert value(runs_dir, "SELECT value FROM params WHERE path = 'iterations'") == "40"
    assert value(runs_dir, "SELECT count(*) FROM params WHERE path = 'expect[0].metric'") == 1
    assert Store(runs_dir).runs()[0].spec_digest == "new"


def test_unknown_records_are_kept(runs_dir, run):
    run.record("novel", answer=42)
    assert not Store(runs_dir).ingest().notices()
    payload = value(runs_dir, "SELECT payload FROM events WHERE kind = 'journal_unknown'")
    assert json.loads(payload)["answer"] == 42


def test_nothing_is_made_where_there_is_nothing(runs_dir):
    assert Store(runs_dir).ingest().notices() == []
    assert not runs_dir.exists()
    runs_dir.mkdir()
    assert Store(runs_dir).ingest().runs == 0
    assert list(runs_dir.iterdir()) == []
