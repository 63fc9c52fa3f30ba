"""Tags and notes: what people write into a run's journal, also while the run writes it."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, Journal, JournalError, Note, Record, Tag, Untag, line_of
from jaxpot.spec.fields import LABEL
from jaxpot.store.runs import JournalFile, RunLock, RunLockedError, RunRef, is_running
from jaxpot.store.tags import tags_of

MAX_NOTE = 1 << 20
"""Characters of a note."""


class Tagged(NamedTuple):
    """What became of a run's tags."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    tags: tuple[str, ...]


def check_tag(tag: str) -> str:
    """Give back a tag that is one, by the rule that a spec's `tags` follow.

    Raises:
        UserError: it is none.
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
    """Give the tags that a run has by now."""
    journal = ref.path / JOURNAL_NAME
    file = JournalFile(ref.uid, journal, journal.stat().st_size)
    return tags_of(ref.path.parent, [file])[ref.uid]


def tag(ref: RunRef, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Tagged:
    """Add tags to a run and remove others; those that it has, or lacks, already are no change.

    Raises:
        UserError: one that is to be added is no tag.
        JournalError: the journal could not be written.
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
    """Add a note to a run; give its text as it was recorded.

    Raises:
        UserError: there is no text, or too much of it.
        JournalError: the journal could not be written.
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
    """Append records to the journal of the run in folder `path`, running or not, durably.

    Raises:
        JournalError: they could not be written.
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
            pass  # it was started just now
    _append_beside(path / JOURNAL_NAME, records)


def _append_beside(path: Path, records: Sequence[Record]) -> None:
    """Append to a journal that another process writes, between two of its lines."""
    data = b"".join(line_of(record, path) for record in records)
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            _write_locked(fd, path, data)
            fcntl.flock(fd, fcntl.LOCK_UN)  # the run does not wait for the disk
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise JournalError(f"{path}: cannot be written: {error.strerror}") from error


def _write_locked(fd: int, path: Path, data: bytes) -> None:
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        data = b"\n" + data  # what is torn becomes a damaged line of its own
    written = os.write(fd, data)
    if written < len(data):
        if os.fstat(fd).st_size == size + written:
            os.ftruncate(fd, size)
        raise JournalError(f"{path}: a line could not be written; make room and try again")
