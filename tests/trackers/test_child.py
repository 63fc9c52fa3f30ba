"""A sink that makes no progress once the run is over is given up."""

import signal
import subprocess
import sys
import threading

import pytest

from jaxpot.trackers import child
from jaxpot.trackers.delivery import Deliverer, read_delivery
from tests.store.journals import Writer

pytestmark = pytest.mark.slow

HELD = """
import ctypes, threading
from jaxpot.trackers import child
child._STALL_SECONDS = 0.3
over = threading.Event()
threading.Thread(target=child._end_stalled, args=(None, over), daemon=True).start()
over.wait(0.1)
ctypes.PyDLL(None).sleep(3600)
"""


def test_a_stalled_sink_is_given_up(tmp_path, monkeypatch):
    class ExitedError(Exception):
        pass

    def leave(status):
        raise ExitedError(status)

    run = Writer(tmp_path / "runs", "u1")
    monkeypatch.setattr(child, "_STALL_SECONDS", 0.01)
    monkeypatch.setattr("os._exit", leave)
    monkeypatch.setattr("signal.setitimer", lambda *_: None)
    deliverer = Deliverer(run.folder, "s", {}, lambda _: None)  # pyright: ignore
    (over := threading.Event()).set()
    with pytest.raises(ExitedError, match="1"):
        child._end_stalled(deliverer, over)
    kept = read_delivery(run.folder, "s")
    assert kept is not None
    assert (kept.state, kept.error) == ("failed", "it stood still for 0.01 s")


def test_a_sink_that_blocks_the_interpreter_is_ended_by_the_alarm():
    ended = subprocess.run([sys.executable, "-c", HELD], check=False, timeout=60)
    assert ended.returncode == -signal.SIGALRM
