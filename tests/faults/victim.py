"""`jaxpot` with a fault inside: it is killed in the n-th call of a step, or its disk is full.

python -m tests.faults.victim '{"step": "publish", "at": 3, "delay": 0.001}' ARGUMENTS
"""

import errno
import functools
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from jaxpot.checkpoints import durable, retention, writer
from jaxpot.cli.main import main
from jaxpot.journal import write as journal

STEPS: dict[str, tuple[Any, str]] = {
    "copy": (writer, "copy_to_host"),
    "arrays": (writer, "write_arrays"),
    "hashes": (writer, "describe_files"),
    "metadata": (writer, "encode"),
    "sync": (durable, "sync_tree"),
    "check": (writer, "verify"),
    "publish": (durable, "publish"),
    "link": (writer, "link_checkpoint"),
    "record": (retention.Records, "add"),
    "best": (retention.Retention, "add_best"),
    "prune": (retention.Retention, "prune"),
    "delete": (retention.Retention, "delete"),
    "settle": (retention.Retention, "settle"),
    "supersede": (writer.CheckpointWriter, "supersede_after"),
}
ON_DISK = ("fsync", "rename", "link", "mkdir", "unlink", "rmdir")


def die() -> None:
    """Ends the process as SIGKILL does."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_in_step(step: str, at: int, delay: float) -> None:
    """Kills the process `delay` seconds after the `at`-th call of a step begins."""
    owner, name = STEPS[step]
    function, calls = getattr(owner, name), itertools.count(1)

    @functools.wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == at:
            if delay <= 0:
                die()
            threading.Thread(target=lambda: (time.sleep(delay), die()), daemon=True).start()
        return function(*args, **kwargs)

    setattr(owner, name, counted)


def kill_on_disk(at: int) -> None:
    """Kills the process before the `at`-th step that its checkpoints take on the disk."""
    calls = itertools.count(1)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread().name.startswith("checkpoints") and next(calls) == at:
                die()
            return function(*args, **kwargs)

        return call

    for name in ON_DISK:
        setattr(os, name, counted(getattr(os, name)))


def kill_in_journal(at: int, part: float) -> None:
    """Kills the process when a part of the `at`-th line is written."""
    write, calls = journal.Journal._write, itertools.count(1)

    def torn(self: journal.Journal, line: bytes) -> None:
        if next(calls) == at:
            os.write(self._descriptor(), line[: int(part * len(line))])
            die()
        write(self, line)

    journal.Journal._write = torn  # type: ignore[method-assign]


def fill_disk(after: int) -> None:
    """Lets no byte be written any more once the journal has `after` lines."""
    write, calls = journal.Journal._write, itertools.count(1)
    real_write, real_mkdir, real_statvfs = os.write, os.mkdir, os.statvfs
    full = threading.Event()

    def counted(self: journal.Journal, line: bytes) -> None:
        if next(calls) > after:
            full.set()
        write(self, line)

    def refused(function: Callable[..., Any], allowed: Callable[..., bool]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if full.is_set() and not allowed(*args):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(*args, **kwargs)

        return call

    journal.Journal._write = counted  # type: ignore[method-assign]
    os.write = refused(real_write, lambda descriptor, *_: os.isatty(descriptor) or descriptor < 3)
    os.mkdir = refused(real_mkdir, lambda *_: False)
    os.statvfs = real_statvfs


def arm(plan: dict[str, Any]) -> None:
    """Puts the fault in place."""
    step = plan.pop("step")
    if step == "disk":
        kill_on_disk(**plan)
    elif step == "journal":
        kill_in_journal(**plan)
    elif step == "full":
        fill_disk(**plan)
    else:
        kill_in_step(step, **plan)


if __name__ == "__main__":
    arm(json.loads(sys.argv.pop(1)))
    main()
