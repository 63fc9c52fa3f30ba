"""The process that sorts, which nobody waits for, and what starts it."""

import time
from types import SimpleNamespace

import pytest

from jaxpot.store import (
    Store,
    compact,
    copying,
    database,
    errors,
    freshness,
    launch,
    sorting,
)
from jaxpot.store.locking import FileLock
from jaxpot.trackers.process import SideProcess
from tests.store.test_database import held
from tests.store.test_ingest import everything, value
from tests.trackers.test_process import wait_until

LEFT = "SELECT count(*) FROM metrics"


@pytest.fixture
def few(monkeypatch):
    """Makes so few points worth a process that a test can have them."""
    monkeypatch.setattr(launch, "_SORTED_FROM", 10)


def left(runs_dir):
    """Give how many points are not sorted, without starting anything."""
    path = runs_dir / database.DATABASE_NAME
    try:
        with database.connect(path, read_only=True) as connection:
            ((found,),) = connection.execute(LEFT).fetchall()
            return found
    except errors.StoreError:
        return -1


def idle(runs_dir):
    """Say whether no process sorts."""
    lock = FileLock(runs_dir / launch.SORTING_LOCK_NAME)
    with lock:
        return lock.acquire()


def test_a_reading_command_starts_it(runs_dir, run, few):
    run.payloads(range(5))
    store = Store(runs_dir)
    began = time.monotonic()
    assert len(store.runs()) == 1
    assert time.monotonic() - began < 5.0
    wait_until(lambda: left(runs_dir) == 0)
    wait_until(lambda: idle(runs_dir))
    assert value(runs_dir, "SELECT count(*) FROM metric") == 20


def test_a_fresh_database_starts_it_too(runs_dir, run, monkeypatch):
    run.payloads(range(5))
    store = Store(runs_dir)
    store.ingest()
    started = []
    monkeypatch.setattr("jaxpot.store.reader.start_sorting", lambda *told: started.append(told))
    store.runs()
    assert started == [(runs_dir, 20)]


def test_few_points_are_not_worth_it(runs_dir, run):
    assert not launch.start_sorting(runs_dir, 249_999)


def test_there_is_one_of_it(runs_dir, run, few):
    with FileLock(runs_dir / launch.SORTING_LOCK_NAME) as lock:
        assert lock.acquire()
        assert not launch.start_sorting(runs_dir, 20)
        run.payloads(range(5))
        Store(runs_dir).ingest()
        assert sorting.main(["--runs-dir", str(runs_dir)]) == 0
        assert left(runs_dir) == 20


def test_the_process_says_what_stands_in_its_way(runs_dir, run, monkeypatch, capsys):
    monkeypatch.setattr(sorting, "_HELD_SECONDS", 0.05)
    monkeypatch.setattr(sorting.os, "nice", lambda _: None)
    run.payloads(range(5))
    store = Store(runs_dir)
    store.ingest()
    with held(store.path) as pid:
        assert sorting.main(["--runs-dir", str(runs_dir)]) == 1
    assert f"held by process {pid}" in capsys.readouterr().err
    assert sorting.main(["--runs-dir", str(runs_dir)]) == 0
    assert left(runs_dir) == 0


def test_a_run_s_end_starts_it(runs_dir, run, monkeypatch):
    from jaxpot.trackers import child

    started = []
    monkeypatch.setattr(child, "start_sorting", lambda *told: started.append(told))
    run.payloads(range(5))
    assert child._ingest(runs_dir) is None
    assert started == [(runs_dir, 20)]


def test_the_child_does_not_wait_for_it(runs_dir, run):
    run.payloads(range(5))
    assert SideProcess(run.folder, interval=60).stop() is None
    assert left(runs_dir) == 20


@pytest.mark.parametrize(
    ("status", "count", "expected"),
    [
        ("completed", 5, 5),
        ("running", 5, 0),
        ("running", freshness.LONG_RUN_POINTS, freshness.LONG_RUN_POINTS),
    ],
)
def test_what_there_is_to_sort(status, count, expected):
    positions = {"a": freshness.Position(1, 1, status, count)}
    assert freshness.unsorted(positions) == expected


@pytest.fixture
def holes(runs_dir, run, monkeypatch):
    """Returns a store whose file has room left over."""
    monkeypatch.setattr(compact, "_FREE_BYTES", 0)
    monkeypatch.setattr(compact, "_FREE_SHARE", 0.0)
    for iteration in range(300):
        run.payload(iteration, {f"key/{n}": n * 0.37 + iteration for n in range(60)})
    run.end()
    store = Store(runs_dir)
    store.ingest()
    sorting.sort_all(runs_dir)
    return store


def test_room_that_is_left_over_is_given_back(holes):
    runs_dir = holes.runs_dir
    before, size = everything(runs_dir), holes.path.stat().st_size
    assert compact.compact(runs_dir, wait=0.1)
    assert everything(runs_dir) == before
    assert holes.path.stat().st_size < size
    assert value(runs_dir, "SELECT count(*) FROM sorted_metrics") == 300 * 64
    left = {path.name for path in runs_dir.iterdir() if path.is_file()}
    assert left == {"jaxpot.duckdb", "jaxpot.lock"}
    assert holes.ingest().lines == 0


def test_what_is_recorded_meanwhile_is_kept(holes, run, monkeypatch):
    rewrite = copying.rewrite

    def slow(*arguments):
        rewrite(*arguments)
        run.payload(300)
        holes.ingest()

    monkeypatch.setattr(copying, "rewrite", slow)
    assert not compact.compact(holes.runs_dir, wait=0.1)
    assert value(holes.runs_dir, "SELECT count(*) FROM iters") == 301


def test_a_disk_without_room_for_a_copy_is_left_alone(holes, monkeypatch):
    full = SimpleNamespace(free=2 * holes.path.stat().st_size)
    monkeypatch.setattr(compact.shutil, "disk_usage", lambda _: full)
    assert not compact.compact(holes.runs_dir, wait=0.1)


def test_a_file_without_holes_stays(runs_dir, run):
    run.payload(0)
    Store(runs_dir).ingest()
    assert not compact.compact(runs_dir, wait=0.1)
