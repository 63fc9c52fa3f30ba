"""Advisory file locks (flock), which are released when their process dies."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import ExitStack
from pathlib import Path

_POLL_SECONDS = 0.01


class FileLock:
    """A lock file: shared by readers, exclusive for a writer.

    flock belongs to the open file, not to the process: two locks in one process exclude each other,
    and closing another file releases nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self, *, shared: bool = False, wait: float = 0.0) -> bool:
        """Take the lock, trying for `wait` seconds; return whether that succeeded.

        Raises:
            OSError: The lock file cannot be opened or created.
        """
        fd = _open(self.path, create=not shared)
        if fd is None:
            return True  # no writer has ever been here, and a reader creates nothing
        operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        deadline = time.monotonic() + wait
        with ExitStack() as unless_taken:
            unless_taken.callback(os.close, fd)
            while not _try(fd, operation):
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_POLL_SECONDS)
            unless_taken.pop_all()
        self._fd = fd
        return True

    def write(self, text: str) -> None:
        """Write a text about the holder into the lock file, for others to read."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, text.encode(), 0)

    def holder(self) -> str:
        """Return the text that the holder wrote into the lock file."""
        try:
            text = self.path.read_text(errors="replace")
        except OSError:
            text = ""
        return text.partition("\n")[0].strip() or "another process"

    def release(self) -> None:
        """Release the lock. The file stays: without it, two processes could lock two files."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock file at `path` exclusively."""
    lock = FileLock(path)
    try:
        if not lock.acquire(shared=True):
            return True
    except OSError:
        return False
    lock.release()
    return False


def _open(path: Path, *, create: bool) -> int | None:
    if create:
        # O_NOFOLLOW: a link in a foreign folder must not make us overwrite another file.
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _try(fd: int, operation: int) -> bool:
    try:
        fcntl.flock(fd, operation)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
