"""The processes beside a run: killed at any moment, stalled, failing, and left alone."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from jaxpot.loop import delivery
from jaxpot.loop.delivery import Deliveries
from jaxpot.store.delivery import delivery_lock, read_delivery
from jaxpot.trackers import child
from jaxpot.trackers.delivery import Deliverer
from tests.journal.reading import live_payloads
from tests.store.journals import Writer
from tests.trackers import readers

JSONL = {"kind": "jsonl", "folder": "none"}
BOARD = {"kind": "tensorboard", "folder": "none"}
OWN = """
import time
import attrs


@attrs.frozen
class Own:
    do: str

    def build(self, *, run):
        if self.do == "fail":
            raise RuntimeError("the tool is down")
        return Sink(self.do)


@attrs.frozen
class Sink:
    do: str
    from_start: bool = False

    def payload(self, record):
        time.sleep(3600)

    def restart(self, *_):
        pass

    header = histogram = standings = restart

    def flush(self):
        pass

    close = flush
"""


@pytest.fixture
def run(tmp_path):
    run = Writer(tmp_path / "runs", "u1")
    run.header()
    run.start()
    return run


@pytest.fixture(autouse=True)
def none_is_left():
    yield
    for process in delivery._left:
        process.kill()
        process.wait()
    delivery._left.clear()


def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_at_random_moments_everything_arrives_once(run):
    draw = random.Random(5)
    done = 0
    for _ in range(3):
        deliveries = Deliveries(run.folder, {"jsonl": JSONL, "board": BOARD})
        for _ in range(3):
            run.payloads(range(done, done := done + 150))
            time.sleep(draw.random() * 0.3)
        for process in deliveries._processes.values():
            process.send_signal(signal.SIGKILL)
            process.wait()
        deliveries.let_go()
        done -= draw.randrange(100)
        run.start(done)
    run.payload(done)
    run.end()
    states = Deliveries(run.folder, {"jsonl": JSONL, "board": BOARD}).stop(timeout=None)
    assert [(each.state, each.done, each.error) for each in states] == [
        ("delivered", done + 1, None)
    ] * 2
    points = [(row["iter"], row["time"]) for row in live_payloads(run.path)]
    written = readers.lines(run.folder / "sinks" / "jsonl.jsonl", "payload")
    assert [(row["iter"], row["time"]) for row in written] == points
    shown = readers.scalars(run.folder / "sinks" / "board")
    assert [each[:2] for each in shown["total_loss"]] == points


def test_a_stalled_or_failing_sink_holds_up_neither_the_run_nor_the_others(
    run, tmp_path, monkeypatch
):
    (tmp_path / "own_sinks.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    run.payloads(range(50))
    tables = {
        "stalls": {"kind": "own_sinks:Own", "do": "stall"},
        "fails": {"kind": "own_sinks:Own", "do": "fail"},
        "jsonl": JSONL,
    }
    deliveries = Deliveries(run.folder, tables)
    path = run.folder / "sinks" / "jsonl.jsonl"
    wait_until(lambda: path.exists() and len(readers.lines(path, "payload")) == 50)
    began = time.monotonic()
    stalls, fails, whole = deliveries.stop(timeout=1.5)
    assert time.monotonic() - began < 5
    assert (stalls.state, stalls.done) == ("following", 0)
    assert "is still being delivered to" in (stalls.warning("u1") or "")
    assert fails.error == "RuntimeError: the tool is down"
    assert "jaxpot sync u1" in (fails.warning("u1") or "")
    assert (whole.state, whole.done, whole.warning("u1")) == ("delivered", 50, None)
    assert "the tool is down" in (run.folder / "sinks" / "fails.log").read_text()


def test_it_outlives_a_run_that_is_killed_and_ends_by_itself(run):
    run.payloads(range(20))
    killed = """
import os, signal, sys
from pathlib import Path
from jaxpot.loop.delivery import Deliveries
from jaxpot.trackers import child
from jaxpot.trackers.delivery import Deliverer
Deliveries(Path(sys.argv[1]), {"jsonl": {"kind": "jsonl", "folder": "none"}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    gone = subprocess.run([sys.executable, "-c", killed, str(run.folder)], check=False)
    assert gone.returncode == -signal.SIGKILL

    def delivered():
        kept = read_delivery(run.folder, "jsonl")
        return kept is not None and kept.state == "delivered"

    wait_until(delivered)
    wait_until(delivery_lock(run.folder, "jsonl").acquire)
    assert len(readers.lines(run.folder / "sinks" / "jsonl.jsonl", "payload")) == 20


def test_two_processes_do_not_deliver_to_one_sink(run):
    run.payload(0)
    with delivery_lock(run.folder, "jsonl") as lock:
        assert lock.acquire()
        (state,) = Deliveries(run.folder, {"jsonl": JSONL}).stop(timeout=None)
    assert (state.state, state.error) == ("following", "by another process")


def test_ctrl_c_is_for_the_run(run):
    run.payload(0)
    deliveries = Deliveries(run.folder, {"jsonl": JSONL})
    (process,) = deliveries._processes.values()
    assert os.getpgid(process.pid) != os.getpgid(0)
    deliveries.stop()


def test_one_that_stands_still_is_given_up(run, monkeypatch):
    class ExitedError(Exception):
        pass

    def leave(status):
        raise ExitedError(status)

    monkeypatch.setattr(child, "_STALL_SECONDS", 0.01)
    monkeypatch.setattr("os._exit", leave)
    deliverer = Deliverer(run.folder, "s", {}, lambda _: None)  # pyright: ignore
    (over := threading.Event()).set()
    with pytest.raises(ExitedError, match="1"):
        child._give_up_stalled(deliverer, over)
    kept = read_delivery(run.folder, "s")
    assert kept is not None
    assert (kept.state, kept.error) == ("failed", "it stood still for 0.01 s")


def test_one_that_cannot_be_started_is_told_at_the_end(run):
    run.payload(0)
    (run.folder / "sinks").write_text("in the way")
    (state,) = Deliveries(run.folder, {"jsonl": JSONL}).stop()
    assert state.state == "failed"
    assert "its process did not start: [Errno 17] File exists" in (state.warning("u1") or "")
