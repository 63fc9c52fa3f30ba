import io
import threading
import time

import pytest

from jaxpot.errors import UserError
from jaxpot.store import RunLock
from jaxpot.views.plain import Plain
from jaxpot.views.replay import JournalClock
from jaxpot.views.watching import JournalGoneError, watch
from tests.store.journals import Writer, complete_run

UID = "20261122-101530-aaaaaa"
WAIT_SECONDS = 20


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr("jaxpot.views.watching._PAUSE_SECONDS", 0.005)


class Watcher(threading.Thread):
    """Watches in another thread, as another process would."""

    def __init__(self, folder, **options):
        super().__init__(daemon=True)
        self.stream, self.lines = io.StringIO(), []
        self.result = self.error = None
        self._folder, self._options = folder, options
        self.start()

    def run(self):
        clock = JournalClock()
        shown = Plain(self.stream, clock=clock)
        try:
            self.result = watch(self._folder, shown, clock, tell=self.lines.append, **self._options)
        except UserError as error:
            self.error = error

    def until(self, text, *, nudge=lambda: None):
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in self.stream.getvalue() + "\n".join(self.lines):
            assert time.monotonic() < deadline, (text, self.stream.getvalue(), self.lines)
            nudge()
            time.sleep(0.002)

    def end(self):
        self.join(WAIT_SECONDS)
        assert not self.is_alive()
        return self.stream.getvalue().splitlines()


@pytest.fixture
def run(tmp_path):
    """A run of another process, which holds its lock."""
    made = Writer(tmp_path, UID)
    made.header()
    with RunLock(made.folder):
        yield made


def test_a_run_is_followed_from_before_it_begins_to_its_end(run):
    watcher = Watcher(run.folder)
    watcher.until(f"run {UID} has not begun yet: waiting")
    run.start()
    watcher.until("iterations 0 to 20 on cpu, NPROC 2")

    def compiled():
        run.event("compile", {"program": "iteration", "seconds": 1.5})
        time.sleep(0.05)

    # What comes while the watcher still reads what there was is the past, which it tells in short.
    watcher.until("compiled iteration in 1.50 s", nudge=compiled)
    run.payloads(range(10))
    watcher.until("evaluation at 10")
    run.checkpoint(10, "committed", bytes=1000, seconds=0.2)
    run.raw(b'{"kind": "payl')
    watcher.until("checkpoint 000010")
    run.raw(b'oad"}\n')
    run.payloads(range(10, 20))
    run.end()
    lines = watcher.end()
    assert sum(line.startswith("evaluation") for line in lines) == 20
    assert lines[-1].startswith("20/20")
    assert watcher.result.status == "completed"


def test_a_run_that_has_ended_is_shown_once(tmp_path):
    run = complete_run(tmp_path, UID)
    watcher = Watcher(run.folder)
    lines = watcher.end()
    assert lines[0].startswith(f"ttt {UID}: iterations 0 to 20")
    assert [line.split()[0] for line in lines[1:]] == ["evaluation", "20/20"]
    assert watcher.result.exit_code == 0


def test_a_resume_is_followed(run):
    run.start()
    run.payloads(range(6))
    watcher = Watcher(run.folder)
    watcher.until("6/20")
    run.start(4)
    watcher.until("attempt 2: iterations 4 to 20")
    run.payloads(range(4, 20))
    run.end("gate_missed")
    watcher.end()
    assert (watcher.result.attempt, watcher.result.exit_code) == (2, 1)


def test_a_run_whose_process_died_counts_as_interrupted(tmp_path):
    run = Writer(tmp_path, UID)
    run.header()
    run.start()
    run.payloads(range(6))
    watcher = Watcher(run.folder)
    watcher.end()
    assert (watcher.result.status, watcher.result.exit_code) == ("interrupted", 130)
    assert watcher.result.reason == "its process is gone; `jaxpot resume` goes on"
    assert watcher.result.iterations == 6


def test_waiting_goes_on_with_the_next_attempt(tmp_path):
    run = Writer(tmp_path, UID)
    run.header()
    run.start()
    run.payloads(range(6))
    run.end("interrupted", iterations=6)
    watcher = Watcher(run.folder, wait=True)
    watcher.until("to be resumed")
    with RunLock(run.folder):
        run.start(6)
        watcher.until("attempt 2")
        run.payloads(range(6, 20))
        run.end()
    watcher.end()
    assert watcher.result.status == "completed"


def test_a_run_that_never_began_is_told(tmp_path):
    run = Writer(tmp_path, UID)
    run.header()
    watcher = Watcher(run.folder)
    watcher.end()
    assert f"run {UID} never began" in str(watcher.error)


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_journal_that_goes_is_told(run, change):
    run.start()
    run.payloads(range(6))
    watcher = Watcher(run.folder)
    watcher.until("6/20")
    if change == "removed":
        run.path.unlink()
    else:
        run.path.write_bytes(b"{}\n")
    watcher.end()
    assert isinstance(watcher.error, JournalGoneError)
    assert watcher.error.exit_code == 1
