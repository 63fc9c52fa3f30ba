"""The process that ingests beside a run."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxpot.store import Store, database, errors, start_child
from tests.store.test_database import held

pytestmark = pytest.mark.slow


def points(runs_dir):
    path = runs_dir / database.DATABASE_NAME
    if not path.exists():
        return 0
    try:
        with database.connect(path, read_only=True) as connection:
            ((found,),) = connection.execute("SELECT count(*) FROM metrics").fetchall()
            return found
    except errors.DatabaseHeldError:
        return 0


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.05)


def test_it_ingests_on_the_way_and_at_the_end(runs_dir, run):
    run.payload(0)
    child = start_child(runs_dir, interval=0.1)
    until(lambda: points(runs_dir) == 4)
    run.payloads(range(1, 4))
    assert child.stop() is None
    assert points(runs_dir) == 16


def test_it_is_nice(runs_dir, run):
    child = start_child(runs_dir, interval=0.05)

    def niceness():
        stat = Path(f"/proc/{child.pid}/stat").read_text()
        return int(stat.rsplit(")", 1)[1].split()[16])

    until(lambda: niceness() == 19)
    child.stop()


def test_it_ends_with_a_killed_run(runs_dir, run):
    run.payload(0)
    code = (
        "import sys, os, time; from pathlib import Path; from jaxpot.store import start_child; "
        "child = start_child(Path(sys.argv[1]), interval=60); print(child.pid, flush=True); "
        "os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", code, str(runs_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in state(pid))
    assert points(runs_dir) == 4


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def test_it_says_what_it_could_not_do(runs_dir, run):
    store = Store(runs_dir)
    store.ingest()
    run.payload(0)
    with held(store.path) as pid:
        child = start_child(runs_dir, interval=60)
        said = child.stop()
    assert said is not None
    assert f"is held by process {pid}" in said


def test_one_that_takes_too_long_is_ended(runs_dir, run):
    store = Store(runs_dir)
    store.ingest()
    run.payload(0)
    with held(store.path):
        child = start_child(runs_dir, interval=60)
        said = child.stop(timeout=0.01)
    assert said is not None
    assert "took longer than 0.01 s" in said
    assert store.ingest().points == 4
