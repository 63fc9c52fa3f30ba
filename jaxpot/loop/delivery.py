"""Starting and stopping the processes that deliver a run's records to its sinks."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from jaxpot.store.delivery import BUSY, FOLDER, read_delivery

WAIT_SECONDS = 5.0
"""How long a run that is over waits for its sinks, all of them together."""

_POLL_SECONDS = 0.02
_TRIES = 4

_left: list[subprocess.Popen[bytes]] = []
"""Processes that go on alone; kept, since nobody may wait for them."""


@attrs.frozen(kw_only=True)
class SinkState:
    """How one sink was left.

    Attributes:
        sink: Its name.
        state: Whether it has everything, is still being delivered to, or was given up.
        done: Iterations that it has.
        error: What went wrong last; None for nothing.
    """

    sink: str
    state: str
    done: int
    error: str | None

    def warning(self, uid: str) -> str | None:
        """Returns what there is to say of it; None where it has everything."""
        if self.state == "delivered":
            return None
        has = f"sink {self.sink}: it has {self.done} iterations"
        if self.state == "failed":
            return f"{has} and failed: {self.error}; try again with `jaxpot sync {uid}`"
        why = f" ({self.error})" if self.error else ""
        return f"{has} and is still being delivered to{why}; `jaxpot sync {uid}` does what is left"


class Deliveries:
    """The processes of a run's sinks; each follows the run's journal by itself.

    Nothing is handed over but the wish to end: neither a sink that stands still nor one that fails
    can reach the run, or another sink.

    Args:
        run_dir: The run's folder.
        sinks: The sinks' tables by their names.
        tries: How often one that fails is tried once the run is over.
    """

    def __init__(
        self, run_dir: Path, sinks: Mapping[str, Mapping[str, Any]], *, tries: int = _TRIES
    ) -> None:
        self._run_dir = run_dir
        self._tries = tries
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._failed: list[SinkState] = []
        for name, config in sinks.items():
            try:
                self._processes[name] = self._start(name, config)
            except OSError as error:  # a full disk, say, or no process left to have
                text = f"its process did not start: {error}"
                self._failed.append(SinkState(sink=name, state="failed", done=0, error=text))

    def stop(self, timeout: float | None = WAIT_SECONDS) -> list[SinkState]:
        """Has them deliver what is left and end; those that take longer go on alone.

        Without a timeout there are none: a sink that stands still ends its own process.
        """
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        states = self._failed
        for name, process in self._processes.items():
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
            states.append(self._state(name, process.poll()))
        self.let_go()
        return states

    def let_go(self) -> None:
        """Leaves them to deliver what is left and to end by themselves."""
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        everyone = [*_left, *self._processes.values()]
        _left[:] = [process for process in everyone if process.poll() is None]
        self._processes, self._failed = {}, []

    def _start(self, name: str, config: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        folder = self._run_dir / FOLDER
        folder.mkdir(exist_ok=True)
        request = {
            "run_dir": str(self._run_dir.resolve()),
            "name": name,
            "config": config,
            "tries": self._tries,
            "path": [str(Path(each).resolve()) for each in sys.path],
        }
        with (folder / f"{name}.log").open("wb") as log:
            # -P: a file in the user's directory must not stand in for a module of the same name.
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "jaxpot.trackers.child"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in the terminal is for the run
            )
        if process.stdin is not None:
            with suppress(BrokenPipeError):  # it ended at once, as its state will tell
                process.stdin.write(json.dumps(request).encode() + b"\n")
        return process

    def _state(self, name: str, status: int | None) -> SinkState:
        known = read_delivery(self._run_dir, name)
        done, error = (known.done, known.error) if known is not None else (0, None)
        if status == 0:
            state, error = "delivered", None
        elif status is None:
            state = "following"
        elif status == BUSY:
            state, error = "following", "by another process"
        else:
            state, error = "failed", error or f"its process ended; {FOLDER}/{name}.log has more"
        return SinkState(sink=name, state=state, done=done, error=error)
