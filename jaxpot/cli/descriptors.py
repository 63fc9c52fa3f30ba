"""Standard streams that are closed, full or no longer read, handled alike for all commands.

A closed stdin, stdout or stderr acts like an empty file. Prose that stderr cannot take is dropped.
Data that stdout cannot take is an error.
"""

from __future__ import annotations

import io
import os
import select
import sys

_WAIT_SECONDS = 5.0  # until the reader of a non-blocking pipe makes room


class LossyFile(io.FileIO):
    """A file descriptor that drops writes that fail.

    A closed terminal or a full disk must not end a training run.
    """

    def write(self, data: io.ReadableBuffer, /) -> int:  # pyright: ignore[reportAttributeAccessIssue]
        """Write `data`, or drop it."""
        size = memoryview(data).nbytes
        try:
            written = super().write(data)
            if written is None:  # a non-blocking pipe that is full
                select.select([], [self], [], _WAIT_SECONDS)
                written = super().write(data)
        except OSError:
            written = None
        return size if written is None else written


def secure() -> None:
    """Open standard descriptors that are closed, and make stderr drop what it cannot write.

    Call this before any other file is opened. Otherwise that file may get number 1 or 2 and
    receive what is meant for stdout or stderr.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
            os.set_inheritable(opened, True)
    # Python sets a stream to None if its descriptor was closed at startup.
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
    """Flush stdout, or drop what it holds if that fails: the error was already printed.

    Otherwise the interpreter would try again at exit and end with status 120.
    """
    try:
        sys.stdout.flush()
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
        sys.stdout.flush()
