"""The process beside a run: it ingests, and is the parent of one process for each sink.

    python -m jaxpot.trackers.child

The first line of its stdin says what to do; `jaxpot.trackers.process` writes it. It works at the
lowest priority, and reports on stdout, a JSON object a line, how each sink's process ended and
what kept the last ingest from adding everything.

A sink may be a user's class: it may hang, hold the interpreter's lock, crash, or call
`os._exit`. Only a process of the operating system contains all of that, so each sink works in a
fork of this process, and no sink can delay the ingest, the run or another sink.

Two pipes say when to end. The first closes when the run is over: the sinks then get what is left.
The second, stdin, closes when the run has recorded how its sinks were left: the last ingest then
takes that in too. Both close when the run is killed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from jaxpot.signals import leave_to_parent
from jaxpot.store.errors import StoreError
from jaxpot.store.ingest import ingest
from jaxpot.store.runs import is_running, journals
from jaxpot.trackers.delivery import BUSY, FOLDER, Deliverer, delivery_lock

_NICENESS = 19
_INGEST_WAIT_SECONDS = 1.0  # at a run's end, its user waits for this
_INTERVAL_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0
_STALL_SECONDS = 120.0
_STDIN, _STDOUT, _STDERR = 0, 1, 2


def main() -> int:
    """Start the sinks' processes and ingest until stdin closes.

    Returns:
        In a sink's process: 0, 1 when the sink was given up, or `BUSY` when another process feeds
        it. In their parent 0.
    """
    request = json.loads(_first_line())
    os.nice(_NICENESS)
    leave_to_parent()
    run_dir = Path(request["run_dir"])
    names: dict[int, str] = {}
    for name in request["sinks"]:
        try:
            pid = _fork(run_dir, name)
        except OSError as error:  # a full disk, or no process is left
            _report(sink=name, status=1, error=f"its process did not start: {error}")
            continue
        if pid == 0:
            return _feed(run_dir, name, request)
        names[pid] = name
    threading.Thread(target=_report_ends, args=(names,), daemon=True).start()
    problem = None
    if request["ingest"]:
        problem = _ingest_until_end(run_dir.parent, request["interval"])
    else:
        _stdin_closed(None)
    _report(problem=problem)
    return 0


def build_sink(name: str, config: dict[str, Any], run: Any) -> Any:
    """Build the sink that a table of the spec describes."""
    from jaxpot.spec.registry import implementation
    from jaxpot.spec.structure import structure_sink

    made = structure_sink(name, config)
    return implementation(made)(made, run=run)


def _ingest_until_end(runs_dir: Path, interval: float) -> str | None:
    """Ingest every `interval` seconds, and once more at the end; return what that lacks."""
    seen: object = None
    while not _stdin_closed(interval):
        now = {file.uid: (file.size, is_running(file.path.parent)) for file in journals(runs_dir)}
        if now != seen and _ingest(runs_dir) is None:
            seen = now
    return _ingest(runs_dir)


def _ingest(runs_dir: Path) -> str | None:
    try:
        report = ingest(runs_dir, wait=_INGEST_WAIT_SECONDS)
    except StoreError as error:
        return str(error)
    return report.problem


def _fork(run_dir: Path, name: str) -> int:
    """Fork a process whose output goes into the sink's log; return 0 in it.

    This process has a single thread and has not opened the database, so the fork is safe.

    Raises:
        OSError: The log cannot be made, or no process is left.
    """
    (run_dir / FOLDER).mkdir(exist_ok=True)
    with (run_dir / FOLDER / f"{name}.log").open("wb") as log, open(os.devnull, "rb") as nothing:
        pid = os.fork()
        if pid == 0:
            os.dup2(nothing.fileno(), _STDIN)
            os.dup2(log.fileno(), _STDOUT)
            os.dup2(log.fileno(), _STDERR)
    return pid


def _report_ends(names: dict[int, str]) -> None:
    """Report the exit status of each sink's process."""
    while names:
        pid, status = os.wait()  # the process that sorts is a child too
        name = names.pop(pid, None)
        if name is not None:
            _report(sink=name, status=os.waitstatus_to_exitcode(status))


def _report(**said: Any) -> None:
    with suppress(BrokenPipeError):  # the run is gone
        os.write(_STDOUT, json.dumps(said).encode() + b"\n")


def _feed(run_dir: Path, name: str, request: dict[str, Any]) -> int:
    """Feed one sink until the run is over and the sink has everything."""
    sys.path[:] = request["path"]
    # Threads watch for the end, since a sink may hang in this one.
    over = threading.Event()
    threading.Thread(target=_wait_for_end, args=(request["run_over"], over), daemon=True).start()
    lock = delivery_lock(run_dir, name)
    while not lock.acquire(wait=_INTERVAL_SECONDS):  # the last attempt's process may still deliver
        if over.is_set():
            return BUSY
    with lock:
        config = request["sinks"][name]
        deliverer = Deliverer(run_dir, name, config, partial(build_sink, name, config))
        threading.Thread(target=_end_stalled, args=(deliverer, over), daemon=True).start()
        _follow(deliverer, over)
        return 0 if _deliver_rest(deliverer, request["tries"]) else 1


def _follow(deliverer: Deliverer, over: threading.Event) -> None:
    """Deliver new records until the run is over; a sink that fails is tried less and less often."""
    wait = _INTERVAL_SECONDS
    while not over.is_set():
        try:
            deliverer.catch_up()
        except Exception as error:
            _keep_error(deliverer, error, final=False)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
        else:
            wait = _INTERVAL_SECONDS
        over.wait(wait)


def _deliver_rest(deliverer: Deliverer, tries: int) -> bool:
    """Deliver all that the journal has; False where the sink failed every time."""
    for left in reversed(range(tries)):
        try:
            deliverer.finish()
        except Exception as error:
            _keep_error(deliverer, error, final=not left)
            if left:
                time.sleep(_INTERVAL_SECONDS * 2 ** (tries - 1 - left))
        else:
            return True
    return False


def _keep_error(deliverer: Deliverer, error: Exception, *, final: bool) -> None:
    """Keep why a sink failed, for the run to report, and its traceback, in the sink's log."""
    with suppress(OSError):  # on a full disk neither can be kept, and the next try says it again
        deliverer.drop(error, final=final)
        traceback.print_exception(error)


def _end_stalled(deliverer: Deliverer, over: threading.Event) -> None:
    """End the process when the run is over and the sink makes no progress.

    A sink that holds the interpreter's lock stops this thread too: the alarm, which this thread
    keeps putting off, then ends the process.
    """
    while True:
        signal.setitimer(signal.ITIMER_REAL, 3 * _STALL_SECONDS)
        if over.wait(_STALL_SECONDS):
            before = deliverer.now
            time.sleep(_STALL_SECONDS)
            if deliverer.now is before:
                with suppress(OSError):
                    deliverer.give_up(f"it stood still for {_STALL_SECONDS:g} s")
                os._exit(1)


def _wait_for_end(pipe: int, over: threading.Event) -> None:
    while os.read(pipe, 4096):
        pass
    over.set()


def _stdin_closed(seconds: float | None) -> bool:
    readable, _, _ = select.select([_STDIN], [], [], seconds)
    return bool(readable) and not os.read(_STDIN, 4096)


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(_STDIN, 1)
        if not byte:
            raise EOFError("stdin closed before it said what to do")
        line += byte
    return line


if __name__ == "__main__":
    sys.exit(main())
