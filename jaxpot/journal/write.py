"""Write a journal: one whole line a record.

Each line is appended by one `os.write`. A line counts once its newline is there, so that a reader
never sees half of one, and a crash costs at most the line that was being written.
"""

from __future__ import annotations

import fcntl
import math
import numbers
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from jaxpot.errors import UserError
from jaxpot.journal.read import parse
from jaxpot.journal.records import UNDATED, Payload, Record
from jaxpot.paths import sync

_TAIL_BLOCK = 1 << 16
_LOCK_SECONDS = 0.2  # training waits no longer for somebody who annotates the run
_POLL_SECONDS = 0.001


class JournalFile(NamedTuple):
    """A run's journal: its path and size."""

    uid: str
    path: Path
    size: int


class JournalError(UserError):
    """A line could not be written; the journal is whole without it."""

    exit_code = 1


class Journal:
    """Appends records to one journal; safe to share between threads of one process.

    Opening cuts off the half line that a killed writer left; the caller must hold the run's lock.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._torn = False
        fresh = not self.path.exists()
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd: int | None = os.open(self.path, flags, 0o644)
            with _locked(self._fd):
                _cut_torn_tail(self._fd)
            if fresh:
                sync(self.path.parent)
        except OSError as error:
            raise JournalError(f"{self.path}: cannot be opened: {error.strerror}") from error

    def append(self, record: Record) -> None:
        """Write one record as one line, dated now if it has no time.

        Raises:
            JournalError: Readers would not accept the record, or the line could not be written in
                full (a full disk, say) and was cut off again.
        """
        line = line_of(record, self.path)
        with self._lock:
            self._write(line)

    def sync(self) -> None:
        """Wait until everything appended so far is on the disk.

        Raises:
            JournalError: The disk failed, or the journal was removed.
        """
        with self._lock:
            descriptor = self._descriptor()
            try:
                os.fsync(descriptor)
                removed = os.fstat(descriptor).st_nlink == 0
            except OSError as error:
                raise JournalError(f"{self.path}: cannot be synced: {error.strerror}") from error
            if removed:
                raise JournalError(f"{self.path}: the journal was removed while the run wrote it")

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _descriptor(self) -> int:
        if self._fd is None:
            raise JournalError(f"{self.path}: the journal is closed")
        return self._fd

    def _write(self, line: bytes) -> None:
        fd = self._descriptor()
        with _locked(fd):
            self._write_locked(fd, line)

    def _write_locked(self, fd: int, line: bytes) -> None:
        if self._torn:
            line = b"\n" + line  # the fragment becomes a separate damaged line
        written = 0
        try:
            # A disk that fills up gives a short write first, and the error only to the next one.
            while written < len(line):
                written += os.write(fd, line[written:])
        except OSError as error:
            if written:
                self._take_back(fd, written)
            raise JournalError(
                f"{self.path}: a line could not be written: {error.strerror}; "
                "make room, then resume the run"
            ) from error
        self._torn = False

    def _take_back(self, fd: int, written: int) -> None:
        try:
            end = os.lseek(fd, 0, os.SEEK_CUR)  # O_APPEND leaves it after this process's last byte
            if os.fstat(fd).st_size == end:
                os.ftruncate(fd, end - written)
        except OSError:
            self._torn = True


@contextmanager
def _locked(fd: int) -> Iterator[None]:
    """Hold the file's lock against those who annotate the run; go on without it after a while.

    Whole lines need no lock. It is for cutting off half a line at the end.
    """
    held = _lock(fd)
    try:
        yield
    finally:
        if held:
            fcntl.flock(fd, fcntl.LOCK_UN)


def _lock(fd: int) -> bool:
    deadline = 0.0
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            deadline = deadline or now + _LOCK_SECONDS
            if now >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        except OSError:  # a file system without such locks
            return False
        else:
            return True


def line_of(record: Record, path: Path) -> bytes:
    """Return the line of a record for the journal at `path`, dated now if it has no time.

    Text that is not UTF-8 (of a path or an argument in other bytes) is written with escapes.

    Raises:
        JournalError: Readers would not accept the line.
    """
    if record.time == UNDATED:
        record.time = time.time()
    plain: Any = record
    # A sum finds a NaN or an infinity at a hundredth of what converting every value costs.
    if not isinstance(record, Payload) or not _is_finite(record.values):
        plain = _finite(msgspec.to_builtins(record, enc_hook=_number))
    line = _encode(plain)
    try:
        parse(line)
    except ValueError as error:
        raise JournalError(
            f"{path}: a record of the kind {record.kind!r} is refused, and is not written: {error}"
        ) from error
    return line


def encode(value: Mapping[str, Any]) -> bytes:
    """Return a table as a line of JSON, newline included; NaN and infinities become strings."""
    return _encode(_finite(value))


def _encode(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=_number) + b"\n"
    except UnicodeEncodeError:
        whole = _whole_texts(msgspec.to_builtins(value, enc_hook=_number))
        return msgspec.json.encode(whole, enc_hook=_number) + b"\n"


def _is_finite(values: Mapping[str, Any]) -> bool:
    try:
        return math.isfinite(sum(values.values()))
    except (TypeError, OverflowError):
        return False


def _number(value: object) -> int | float:
    """Return NumPy's scalars, which register as numbers, as Python's."""
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError(f"a journal record cannot hold a {type(value).__name__}: {value!r}")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        number = float(value)
        if not math.isfinite(number):
            return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    return value


def _whole_texts(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_whole_texts(key): _whole_texts(item) for key, item in value.items()}
    return [_whole_texts(item) for item in value] if isinstance(value, list | tuple) else value


def _cut_torn_tail(fd: int) -> None:
    """Cut off what follows the last newline: the unfinished line of a killed writer."""
    size = end = os.fstat(fd).st_size
    while end:
        start = max(0, end - _TAIL_BLOCK)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(fd, end)
