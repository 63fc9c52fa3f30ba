"""The process beside a run: it ingests and feeds sinks, whatever a sink or a kill does to it."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxpot.store import Store, database, errors
from jaxpot.trackers import process
from jaxpot.trackers.delivery import delivery_lock, read_delivery
from jaxpot.trackers.process import SideProcess
from tests.journal.reading import live_payloads
from tests.store.journals import Writer
from tests.store.test_database import held
from tests.trackers import readers

pytestmark = pytest.mark.slow

JSONL = {"kind": "jsonl", "folder": "none"}
BOARD = {"kind": "tensorboard", "folder": "none"}
OWN = """
import ctypes, os, sys, time
from pathlib import Path
import attrs

MISDEEDS = {
    "hang": lambda: time.sleep(3600),
    "hold the interpreter": lambda: ctypes.PyDLL(None).sleep(3600),
    "crash": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(0),
    "sys.exit": lambda: sys.exit(0),
}


@attrs.frozen
class Own:
    do: str

    def build(self, *, run):
        if self.do == "fail":
            raise RuntimeError("the tool is down")
        return Sink(self.do, run.folder.with_suffix(".works"))


@attrs.frozen
class Sink:
    do: str
    works: Path
    from_start: bool = False

    def payload(self, record):
        if not self.works.exists():
            MISDEEDS[self.do]()

    def restart(self, *_):
        pass

    header = histogram = standings = restart

    def flush(self):
        pass

    close = flush
"""
MISDEEDS = ("hold the interpreter", "crash", "exit", "sys.exit")


@pytest.fixture
def run(tmp_path):
    run = Writer(tmp_path / "runs", "20261122-101530-aaaaaa")
    run.header()
    run.start()
    return run


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_sinks.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))


def wait_until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def points(run):
    path = run.folder.parent / database.DATABASE_NAME
    if not path.exists():
        return 0
    try:
        with database.connect(path, read_only=True) as connection:
            ((found,),) = connection.execute("SELECT count(*) FROM metrics").fetchall()
            return found
    except errors.DatabaseHeldError:
        return 0


def kill_all(side_process):
    """Kills the process and its children, which share a process group."""
    os.killpg(side_process.pid, signal.SIGKILL)
    side_process.stop()


def test_it_ingests_while_a_run_goes_on_and_at_its_end(run):
    run.payload(0)
    side_process = SideProcess(run.folder, interval=0.1)
    wait_until(lambda: points(run) == 4)
    run.payloads(range(1, 4))
    assert side_process.stop() is None
    assert points(run) == 16


def test_it_has_the_lowest_priority_and_ctrl_c_is_for_the_run(run):
    side_process = SideProcess(run.folder, {"jsonl": JSONL}, interval=0.05)

    def niceness():
        stat = Path(f"/proc/{side_process.pid}/stat").read_text()
        return int(stat.rsplit(")", 1)[1].split()[16])

    wait_until(lambda: niceness() == 19)
    assert os.getpgid(side_process.pid or 0) != os.getpgid(0)
    side_process.stop()


def test_it_says_what_it_could_not_ingest(run):
    store = Store(run.folder.parent)
    store.ingest()
    run.payload(0)
    with held(store.path) as pid:
        said = SideProcess(run.folder, interval=60).stop()
    assert said is not None
    assert f"is held by process {pid}" in said


def test_one_that_takes_too_long_is_killed(run):
    store = Store(run.folder.parent)
    store.ingest()
    run.payload(0)
    with held(store.path):
        said = SideProcess(run.folder, interval=60).stop(timeout=0.01)
    assert said is not None
    assert "took longer than 0.01 s" in said
    assert store.ingest().points == 4


def test_a_run_goes_on_where_it_cannot_be_started(run, monkeypatch):
    monkeypatch.setattr(process.sys, "executable", "/nowhere/python")
    side_process = SideProcess(run.folder, {"jsonl": JSONL})
    (state,) = side_process.finish_sinks()
    why = "the process beside the run did not start: [Errno 2] No such file or directory"
    assert (state.state, side_process.pid) == ("failed", None)
    assert why in (state.warning("u1") or "")
    assert why in (side_process.stop() or "")


def test_it_is_reported_when_it_dies(run):
    side_process = SideProcess(run.folder, interval=60)
    os.kill(side_process.pid or 0, signal.SIGKILL)
    assert side_process.stop() == "the process beside the run ended with status -9"


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("do", MISDEEDS)
def test_no_sink_delays_the_ingest_and_sync_delivers_the_rest(run, do):
    run.payload(0)
    tables = {"own": {"kind": "own_sinks:Own", "do": do}, "jsonl": JSONL}
    side_process = SideProcess(run.folder, tables, interval=0.1)
    wait_until(lambda: points(run) == 4)
    wait_until(lambda: read_delivery(run.folder, "jsonl"))
    time.sleep(1.2)  # the sink is at its misdeed; the ingest goes on
    run.payload(1)
    wait_until(lambda: points(run) == 8)
    run.payload(2)
    hangs = do == "hold the interpreter"
    own, jsonl = side_process.finish_sinks(timeout=5 if hangs else 60)
    assert (jsonl.state, jsonl.done) == ("delivered", 3)
    assert (own.state, own.done) == ("following" if hangs else "failed", 0)
    if do == "crash":
        assert "its process was ended by SIGSEGV; sinks/own.log has more" in (own.error or "")
    assert side_process.stop() is None
    assert points(run) == 12
    if hangs:
        os.killpg(side_process.pid or 0, signal.SIGKILL)
    (run.folder / "sinks" / "own.works").touch()
    again = SideProcess(run.folder, tables, ingest=False, tries=1)
    states = again.finish_sinks(timeout=None)
    assert again.stop() is None
    assert [(each.state, each.done) for each in states] == [("delivered", 3)] * 2


@pytest.mark.usefixtures("own")
def test_a_stalled_or_failing_sink_holds_up_neither_the_run_nor_the_others(run):
    run.payloads(range(50))
    tables = {
        "stalls": {"kind": "own_sinks:Own", "do": "hang"},
        "fails": {"kind": "own_sinks:Own", "do": "fail"},
        "jsonl": JSONL,
    }
    side_process = SideProcess(run.folder, tables, ingest=False)
    path = run.folder / "sinks" / "jsonl.jsonl"
    wait_until(lambda: path.exists() and len(readers.lines(path, "payload")) == 50)
    began = time.monotonic()
    stalls, fails, whole = side_process.finish_sinks(timeout=1.5)
    assert time.monotonic() - began < 10
    assert (stalls.state, stalls.done) == ("following", 0)
    assert "is still being delivered to" in (stalls.warning("u1") or "")
    assert fails.error == "RuntimeError: the tool is down"
    assert "jaxpot sync u1" in (fails.warning("u1") or "")
    assert (whole.state, whole.done, whole.warning("u1")) == ("delivered", 50, None)
    assert "the tool is down" in (run.folder / "sinks" / "fails.log").read_text()
    kill_all(side_process)


def test_killed_at_random_moments_everything_arrives_once(run):
    draw = random.Random(5)
    done = 0
    tables = {"jsonl": JSONL, "board": BOARD}
    for _ in range(3):
        side_process = SideProcess(run.folder, tables, ingest=False)
        for _ in range(3):
            run.payloads(range(done, done := done + 150))
            time.sleep(draw.random() * 0.3)
        kill_all(side_process)
        done -= draw.randrange(100)
        run.start(done)
    run.payload(done)
    run.end()
    side_process = SideProcess(run.folder, tables, ingest=False)
    states = side_process.finish_sinks(timeout=None)
    assert side_process.stop() is None
    assert [(each.state, each.done, each.error) for each in states] == [
        ("delivered", done + 1, None)
    ] * 2
    points = [(row["iter"], row["time"]) for row in live_payloads(run.path)]
    written = readers.lines(run.folder / "sinks" / "jsonl.jsonl", "payload")
    assert [(row["iter"], row["time"]) for row in written] == points
    shown = readers.scalars(run.folder / "sinks" / "board")
    assert [each[:2] for each in shown["total_loss"]] == points


def test_it_finishes_and_ends_when_the_run_is_killed(run):
    run.payloads(range(20))
    killed = """
import os, signal, sys
from pathlib import Path
from jaxpot.trackers.process import SideProcess
SideProcess(Path(sys.argv[1]), {"jsonl": {"kind": "jsonl", "folder": "none"}}, interval=60)
os.kill(os.getpid(), signal.SIGKILL)
"""
    gone = subprocess.run([sys.executable, "-c", killed, str(run.folder)], check=False)
    assert gone.returncode == -signal.SIGKILL

    def delivered():
        kept = read_delivery(run.folder, "jsonl")
        return kept is not None and kept.state == "delivered"

    wait_until(delivered)
    wait_until(delivery_lock(run.folder, "jsonl").acquire)
    wait_until(lambda: points(run) == 80)
    assert len(readers.lines(run.folder / "sinks" / "jsonl.jsonl", "payload")) == 20


def test_two_processes_do_not_deliver_to_one_sink(run):
    run.payload(0)
    with delivery_lock(run.folder, "jsonl") as lock:
        assert lock.acquire()
        side_process = SideProcess(run.folder, {"jsonl": JSONL}, ingest=False)
        (state,) = side_process.finish_sinks(timeout=None)
        side_process.stop()
    assert (state.state, state.error) == ("following", "by another process")


def test_a_sink_whose_process_cannot_be_started_is_reported(run):
    run.payload(0)
    (run.folder / "sinks").write_text("in the way")
    side_process = SideProcess(run.folder, {"jsonl": JSONL})
    (state,) = side_process.finish_sinks()
    assert side_process.stop() is None
    assert state.state == "failed"
    assert "its process did not start: [Errno 17] File exists" in (state.warning("u1") or "")
