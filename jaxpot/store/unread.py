"""What is new in one journal, and how it is taken in."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NamedTuple

from jaxpot.journal import MAX_LINE_BYTES, JournalFile
from jaxpot.store.batch import Batch
from jaxpot.store.lines import take_line
from jaxpot.store.runs import is_running
from jaxpot.store.state import RunState

_TAIL_BYTES = 64
_CHUNK_BYTES = 32 << 20


class Skip(NamedTuple):
    """A damaged line that was passed over."""

    path: Path
    offset: int
    reason: str


class Unread:
    """What is new in one journal, read as far as there is room.

    Attributes:
        file: The journal.
        state: The run's state, moved on by what is taken in.
        finished: Whether all that the journal held was taken in.
        lines: How many lines were.
        skipped: The damaged lines among them.
    """

    def __init__(self, file: JournalFile, state: RunState) -> None:
        self.file = file
        self.state = state
        self.finished = False
        self.lines = 0
        self.skipped: list[Skip] = []

    def is_same_journal(self) -> bool:
        """Say whether the journal still is the one whose beginning was taken in.

        A power cut can take back lines that were in the page cache and already ingested.
        """
        state = self.state
        if self.file.size < state.position:
            return False
        start = max(0, state.position - _TAIL_BYTES)
        with self.file.path.open("rb") as journal:
            journal.seek(start)
            return journal.read(state.position - start).hex() == state.tail

    def take(self, batch: Batch, room: int) -> int:
        """Add rows for whole lines, about `room` bytes of them; give the bytes taken.

        Raises:
            FutureJournalError: a newer jaxpot wrote the journal.
            OSError: it cannot be read.
        """
        state, start = self.state, self.state.position
        lines = self._lines(room)  # read before anything is added: a journal counts or fails whole
        for line in lines:
            reason = take_line(state, batch, line, state.position)
            if reason is not None:
                self.skipped.append(Skip(self.file.path, state.position, reason))
            state.position += len(line) + 1
        self.lines = len(lines)
        taken = b"".join(line + b"\n" for line in lines[-_TAIL_BYTES:])
        state.tail = (bytes.fromhex(state.tail) + taken)[-_TAIL_BYTES:].hex()
        state.size = self.file.size if self.finished else state.position
        return state.position - start

    def settle(self) -> None:
        """Set the status of a run that has no end yet."""
        # Look at the lock first: a process that released it writes nothing more.
        alive = is_running(self.file.path.parent)
        self.state.settle(running=alive or not self.finished or not self._is_all())

    def _is_all(self) -> bool:
        try:
            return self.file.path.stat().st_size == self.file.size
        except OSError:
            return False

    def _lines(self, room: int) -> list[bytes]:
        left = self.file.size - self.state.position
        with self.file.path.open("rb") as journal:
            journal.seek(self.state.position)
            piece = journal.read(min(left, room))
            while (end := piece.rfind(b"\n")) < 0 and len(piece) < left:
                if len(piece) > MAX_LINE_BYTES:
                    raise OSError(errno.EFBIG, "a line of it is too long to be a record")
                more = journal.read(min(left - len(piece), _CHUNK_BYTES))
                if not more:
                    break
                piece += more
        self.finished = len(piece) >= left
        return piece[:end].split(b"\n") if end >= 0 else []
