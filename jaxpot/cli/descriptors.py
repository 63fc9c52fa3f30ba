"""Standard streams that are closed, full or gone: what they may and may not do to a command.

One rule for all commands. stdin, stdout and stderr that are closed read and write nothing. Prose
that stderr does not take is dropped. Data that stdout does not take is an error.
"""

from __future__ import annotations

import io
import os
import select
import sys

_WAIT_SECONDS = 5.0  # for a reader of a pipe that does not block


class LossyFile(io.FileIO):
    """A file descriptor whose failing writes are dropped.

    A terminal that was closed or a full disk must not end a training run.
    """

    def write(self, data: io.ReadableBuffer, /) -> int:  # pyright: ignore[reportAttributeAccessIssue]
        """Writes `data`, or drops it."""
        size = memoryview(data).nbytes
        try:
            written = super().write(data)
            if written is None:  # the descriptor does not block, and its pipe is full
                select.select([], [self], [], _WAIT_SECONDS)
                written = super().write(data)
        except OSError:
            written = None
        return size if written is None else written


def secure() -> None:
    """Opens the standard descriptors that are closed, and lets stderr lose what it must.

    Called before any other file is opened: that one would get the number 1 or 2, and be written
    to as if it were stdout or stderr.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            os.set_inheritable(opened, True)
    # Python leaves out a stream whose descriptor was closed when it started.
    if sys.stdin is None:
        sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    errors = LossyFile(2, "wb", closefd=False)
    given = sys.stderr or sys.stdout
    sys.stderr = sys.__stderr__ = io.TextIOWrapper(
        io.BufferedWriter(errors),
        encoding=given.encoding,
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )


def settle_stdout() -> None:
    """Writes what stdout still holds, or drops it where that fails: the error is already shown.

    The interpreter would try it again at its end, and end with status 120.
    """
    try:
        sys.stdout.flush()
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
        sys.stdout.flush()
