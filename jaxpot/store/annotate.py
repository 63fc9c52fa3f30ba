"""Add tags and notes to a run's journal, even while the run is writing to it."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxpot.errors import UserError
from jaxpot.journal import (
    JOURNAL_NAME,
    Journal,
    JournalError,
    JournalFile,
    Note,
    Record,
    Tag,
    Untag,
    line_of,
)
from jaxpot.spec.fields import LABEL
from jaxpot.store.runs import RunLock, RunLockedError, RunRef, is_running
from jaxpot.store.tags import tags_of

MAX_NOTE = 1 << 20
"""Greatest number of characters in a note."""


class Tagged(NamedTuple):
    """Tags that were added and removed, and all tags of the run afterwards."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    tags: tuple[str, ...]


def check_tag(tag: str) -> str:
    """Return a tag if it follows the rule for tags in a spec.

    Raises:
        UserError: It does not.
    """
    if tag in LABEL.reserved:
        raise UserError(f"{tag!r} always means {LABEL.reserved[tag]}; choose another tag")
    if not re.fullmatch(LABEL.pattern, tag):
        raise UserError(
            f"{tag!r} is no tag: letters, digits, `.`, `_` and `-`, a letter or a digit first, "
            "at most 100"
        )
    return tag


def tags_on(ref: RunRef) -> set[str]:
    """Return the current tags of a run."""
    journal = ref.path / JOURNAL_NAME
    file = JournalFile(ref.uid, journal, journal.stat().st_size)
    return tags_of(ref.path.parent, [file])[ref.uid]


def tag(ref: RunRef, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Tagged:
    """Add tags to a run and remove others, skipping tags that are already there or already gone.

    Raises:
        UserError: A tag to add is not a valid tag.
        JournalError: The journal could not be written.
    """
    for one in add:
        check_tag(one)
    before = tags_on(ref)
    added = tuple(dict.fromkeys(one for one in add if one not in before))
    removed = tuple(dict.fromkeys(one for one in remove if one in before))
    changes: list[Record] = [Untag(tag=one) for one in removed]
    changes += [Tag(tag=one) for one in added]
    append(ref.path, changes)
    return Tagged(added, removed, tuple(sorted((before - set(removed)) | set(added))))


def note(ref: RunRef, text: str) -> str:
    """Add a note to a run; return the recorded text.

    Raises:
        UserError: The note is empty, too long, or not UTF-8.
        JournalError: The journal could not be written.
    """
    text = text.strip()
    if not text:
        raise UserError("a note needs a text")
    if len(text) > MAX_NOTE:
        raise UserError(f"a note has at most {MAX_NOTE} characters, not {len(text)}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError("the note is not text in UTF-8") from None
    append(ref.path, [Note(text=text)])
    return text


def append(path: Path, records: Sequence[Record]) -> None:
    """Append records to the journal of the run in folder `path` and sync them to disk.

    The run may be running.

    Raises:
        JournalError: The records could not be written.
    """
    if not records:
        return
    if not is_running(path):
        try:
            with RunLock(path), Journal(path / JOURNAL_NAME) as journal:
                for record in records:
                    journal.append(record)
                journal.sync()
                return
        except RunLockedError:
            pass  # it has just been started
    _append_beside(path / JOURNAL_NAME, records)


def _append_beside(path: Path, records: Sequence[Record]) -> None:
    """Append to a journal that another process is writing, between two of its lines."""
    data = b"".join(line_of(record, path) for record in records)
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            _write_locked(fd, path, data)
            fcntl.flock(fd, fcntl.LOCK_UN)  # so that the run does not wait for the sync
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise JournalError(f"{path}: cannot be written: {error.strerror}") from error


def _write_locked(fd: int, path: Path, data: bytes) -> None:
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        data = b"\n" + data  # an incomplete last line becomes a damaged line
    written = os.write(fd, data)
    if written < len(data):
        if os.fstat(fd).st_size == size + written:
            os.ftruncate(fd, size)
        raise JournalError(f"{path}: a line could not be written; make room and try again")
