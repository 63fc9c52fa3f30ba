"""Start and stop the one process that a run has beside it; `child` is what runs in it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from jaxpot.store.locking import is_locked
from jaxpot.trackers.delivery import BUSY, FOLDER, lock_path, read_delivery

SINKS_WAIT_SECONDS = 5.0
"""How long a run that is over waits for its sinks, all of them together."""

_INTERVAL_SECONDS = 10.0
_TRIES = 4


@attrs.frozen(kw_only=True)
class SinkState:
    """What a sink has when its run, or `jaxpot sync`, stops waiting for it.

    Attributes:
        sink: Its name.
        state: `delivered`, `following` (it is still being fed) or `failed`.
        done: Iterations that it has.
        error: The last error; None when there was none.
    """

    sink: str
    state: str
    done: int
    error: str | None

    def warning(self, uid: str) -> str | None:
        """Return a warning for the user; None where the sink has everything."""
        if self.state == "delivered":
            return None
        has = f"sink {self.sink}: it has {self.done} iterations"
        if self.state == "failed":
            return f"{has} and failed: {self.error}; try again with `jaxpot sync {uid}`"
        why = f" ({self.error})" if self.error else ""
        return f"{has} and is still being delivered to{why}; `jaxpot sync {uid}` does what is left"


class SideProcess:
    """The process that ingests a run and feeds its sinks; one is started for each run.

    It follows the run's journal by itself, so the run hands it nothing and waits for it only at
    the end. When the run is killed, two pipes close, and the process finishes and ends alone.

    Args:
        run_dir: The run's folder; every run beside it is ingested too.
        sinks: The sinks' tables by their names.
        ingest: Bring journals into the database.
        interval: Seconds between two ingests.
        tries: How often a sink that fails is tried once the run is over.
    """

    def __init__(
        self,
        run_dir: Path,
        sinks: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        ingest: bool = True,
        interval: float = _INTERVAL_SECONDS,
        tries: int = _TRIES,
    ) -> None:
        self._run_dir = run_dir
        self._sinks = dict(sinks or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._problem: str | None = None
        self._unread = b""
        run_over, self._run_over = os.pipe()
        request = {
            "run_dir": str(run_dir.resolve()),
            "ingest": ingest,
            "interval": interval,
            "sinks": self._sinks,
            "tries": tries,
            "run_over": run_over,
            "path": [str(Path(each).resolve()) for each in sys.path],
        }
        try:
            self._process = process = subprocess.Popen(
                # -P: a file in the user's directory must not replace a module of its name.
                [sys.executable, "-P", "-m", "jaxpot.trackers.child"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(run_over,),
                start_new_session=True,  # a Ctrl-C in the terminal is for the run
            )
        except OSError as error:  # no memory, or no process, is left
            self._problem = f"the process beside the run did not start: {error}"
        else:
            with suppress(BrokenPipeError):  # it ended at once, as `stop` will report
                _pipe(process.stdin).write(json.dumps(request).encode() + b"\n")
        finally:
            os.close(run_over)

    @property
    def pid(self) -> int | None:
        """The process's id; None where it could not be started."""
        return None if self._process is None else self._process.pid

    def finish_sinks(self, timeout: float | None = SINKS_WAIT_SECONDS) -> list[SinkState]:
        """Wait until the sinks have everything; those that take longer go on alone.

        Args:
            timeout: Seconds for all of them together; None waits until each is done or given up.
        """
        self._end_sinks()
        deadline = None if timeout is None else time.monotonic() + timeout
        ended: dict[str, Mapping[str, Any]] = {}
        while len(ended) < len(self._sinks) and (report := self._next_report(deadline)):
            ended[report["sink"]] = report
        return [self._state(name, ended.get(name)) for name in self._sinks]

    def stop(self, timeout: float = 30.0) -> str | None:
        """Have the process ingest what is left and end; return what it could not do, or None.

        A process that takes longer than `timeout` seconds is killed, which loses nothing: the
        next reader ingests the rest. Sinks that are not done go on alone.
        """
        self._end_sinks()
        process = self._process
        if process is None:
            return self._problem
        try:
            reports, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return f"the ingest took longer than {timeout:g} s; the next command that reads goes on"
        for line in (self._unread + reports).splitlines():
            report = json.loads(line)
            if "problem" in report:
                return report["problem"]
        return errors.decode(errors="replace").strip() or (
            f"the process beside the run ended with status {process.returncode}"
        )

    def _end_sinks(self) -> None:
        """Tell the sinks' processes that the run is over."""
        if self._run_over >= 0:
            os.close(self._run_over)
            self._run_over = -1

    def _next_report(self, deadline: float | None) -> dict[str, Any] | None:
        """Read the process's next line; None at the deadline and when there are no more."""
        if self._process is None:
            return None
        pipe = _pipe(self._process.stdout)
        while b"\n" not in self._unread:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            readable, _, _ = select.select([pipe], [], [], left)
            if not readable or not (said := pipe.read(4096)):
                return None
            self._unread += said
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def _state(self, name: str, report: Mapping[str, Any] | None) -> SinkState:
        known = read_delivery(self._run_dir, name)
        done, error = (known.done, known.error) if known is not None else (0, None)
        status = None if report is None else report["status"]
        if self._process is None:
            state, error = "failed", self._problem
        elif report is None and (self._process.poll() is None or self._is_fed(name)):
            state = "following"
        elif status == BUSY:
            state, error = "following", "by another process"
        # A sink that calls `os._exit(0)` ends its process with 0 as well.
        elif status == 0 and known is not None and known.state == "delivered":
            state, error = "delivered", None
        else:
            killed = f" by {signal.Signals(-status).name}" if status and status < 0 else ""
            ended = f"its process was ended{killed}; {FOLDER}/{name}.log has more"
            state, error = "failed", (report or {}).get("error") or error or ended
        return SinkState(sink=name, state=state, done=done, error=error)

    def _is_fed(self, name: str) -> bool:
        return is_locked(lock_path(self._run_dir, name))


def _pipe(pipe: Any) -> Any:
    """Return a pipe of a process that was started with it."""
    if pipe is None:
        raise RuntimeError("the process has no such pipe")
    return pipe
