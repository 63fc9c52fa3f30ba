"""The process beside a run that delivers its records to one sink.

    python -m jaxpot.trackers.child

The first line of its stdin says to which; `jaxpot.loop.delivery` writes it. It follows the run's
journal, at the lowest priority. When its stdin closes, which also happens when the run is killed,
it delivers what is left and ends. A sink that fails is tried again, each time after a longer while;
one that stands still once the run is over is given up.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from jaxpot.signals import leave_to_parent
from jaxpot.store.delivery import BUSY, delivery_lock
from jaxpot.trackers.delivery import Deliverer

_NICENESS = 19
_INTERVAL_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0
_STALL_SECONDS = 120.0
_STDIN = 0


def main() -> int:
    """Delivers until stdin closes and everything is delivered.

    Returns 0, 1 where the sink was given up, or `BUSY` where another process delivers to it.
    """
    request = json.loads(_first_line())
    os.nice(_NICENESS)
    leave_to_parent()
    sys.path[:] = request["path"]
    run_dir, name, config = Path(request["run_dir"]), request["name"], request["config"]
    # Threads watch for the end, since a sink may hang in this one.
    over = threading.Event()
    threading.Thread(target=_wait_for_end, args=(over,), daemon=True).start()
    lock = delivery_lock(run_dir, name)
    while not lock.acquire(wait=_INTERVAL_SECONDS):  # that of the attempt before may still deliver
        if over.is_set():
            return BUSY
    with lock:
        deliverer = Deliverer(run_dir, name, config, partial(build_sink, name, config))
        threading.Thread(target=_give_up_stalled, args=(deliverer, over), daemon=True).start()
        _follow(deliverer, over)
        return 0 if deliver_rest(deliverer, request["tries"]) else 1


def build_sink(name: str, config: dict[str, Any], run: Any) -> Any:
    """Makes the sink that a table describes."""
    from jaxpot.spec.registry import implementation
    from jaxpot.spec.structure import structure_sink

    made = structure_sink(name, config)
    return implementation(made)(made, run=run)


def deliver_rest(deliverer: Deliverer, tries: int) -> bool:
    """Delivers all that the journal has; False where the sink failed every time."""
    for left in reversed(range(tries)):
        try:
            deliverer.finish()
        except Exception as error:
            _tell(deliverer, error, final=not left)
            if left:
                time.sleep(_INTERVAL_SECONDS * 2 ** (tries - 1 - left))
        else:
            return True
    return False


def _follow(deliverer: Deliverer, over: threading.Event) -> None:
    """Delivers what comes until the run is over."""
    wait = _INTERVAL_SECONDS
    while not over.is_set():
        try:
            deliverer.catch_up()
        except Exception as error:
            _tell(deliverer, error, final=False)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
        else:
            wait = _INTERVAL_SECONDS
        over.wait(wait)


def _tell(deliverer: Deliverer, error: Exception, *, final: bool) -> None:
    """Keeps why a sink failed, for the run to say, and its traceback, for whoever looks."""
    with suppress(OSError):  # on a full disk neither can be kept, and the next try says it again
        deliverer.drop(error, final=final)
        traceback.print_exception(error)


def _wait_for_end(over: threading.Event) -> None:
    """Says when the run is over: stdin closes then, also where the run was killed."""
    while os.read(_STDIN, 4096):
        pass
    over.set()


def _give_up_stalled(deliverer: Deliverer, over: threading.Event) -> None:
    """Ends the process once nothing is delivered any more after the run: a sink may hang."""
    over.wait()
    while True:
        before = deliverer.now
        time.sleep(_STALL_SECONDS)
        if deliverer.now is before:
            with suppress(OSError):
                deliverer.give_up(f"it stood still for {_STALL_SECONDS:g} s")
            os._exit(1)


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(_STDIN, 1)
        if not byte:
            raise EOFError("stdin closed before it said what to deliver")
        line += byte
    return line


if __name__ == "__main__":
    sys.exit(main())
