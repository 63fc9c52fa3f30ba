"""Is a checkpoint whole? Every bit of every file is compared with `metadata.json`.

Reading is bounded, and nothing that `metadata.json` names is opened: the files that are there are
compared with it, so neither a name in it nor a link beside it leads anywhere.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxpot.checkpoints.errors import DamagedCheckpoint
from jaxpot.checkpoints.layout import METADATA
from jaxpot.checkpoints.metadata import File, Metadata, decode

_MAX_METADATA = 64 * 2**20  # bytes; a state of 400,000 leaves
_CHUNK = 2**20  # bytes


def verify(path: Path) -> Metadata:
    """Checks that a checkpoint is whole: the files that were written, each bit of them, no other.

    Returns:
        What its `metadata.json` says.

    Raises:
        DamagedCheckpoint: It is not; the error names the file and the reason.
    """
    metadata = read_metadata(path)
    found = set(_walk(path)) - {METADATA}
    for name in sorted(found | set(metadata.files)):
        if name not in found:
            raise DamagedCheckpoint(path, name, "is missing")
        if name not in metadata.files:
            raise DamagedCheckpoint(path, name, f"is not among the files that {METADATA} lists")
        if _hash(path, name, metadata.files[name].bytes) != metadata.files[name]:
            raise DamagedCheckpoint(path, name, f"its SHA-256 is not the one in {METADATA}")
    return metadata


def read_metadata(path: Path) -> Metadata:
    """Reads a checkpoint's `metadata.json` and checks it, but no other file.

    Raises:
        DamagedCheckpoint: It is missing, or not what was written.
    """
    if path.is_symlink() or not path.is_dir():
        raise DamagedCheckpoint(path, "", "is not a directory")
    with _opened(path, METADATA) as (descriptor, size):
        if size > _MAX_METADATA:
            raise DamagedCheckpoint(path, METADATA, f"has {size} bytes, too many to be one")
        raw = b"".join(_chunks(descriptor, size))
    try:
        return decode(raw)
    except ValueError as error:
        raise DamagedCheckpoint(path, METADATA, str(error)) from error


def describe_files(path: Path) -> dict[str, File]:
    """Hashes the files of a checkpoint that is being written, all but `metadata.json`."""
    return {name: _hash(path, name) for name in sorted(_walk(path)) if name != METADATA}


def _walk(path: Path) -> Iterator[str]:
    """Yields the files below a checkpoint; refuses links and whatever else is not a file."""
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(path / folder) as entries:
                found = list(entries)
        except OSError as error:
            raise DamagedCheckpoint(path, folder, f"cannot be read: {error.strerror}") from error
        for entry in found:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(name)
            elif entry.is_file(follow_symlinks=False):
                yield name
            else:
                raise DamagedCheckpoint(path, name, "is neither a plain file nor a directory")


def _hash(path: Path, name: str, expected: int | None = None) -> File:
    """Hashes a file; one of another size than expected is not read."""
    with _opened(path, name) as (descriptor, size):
        if expected is not None and size != expected:
            raise DamagedCheckpoint(path, name, f"has {size} bytes instead of {expected}")
        sha = hashlib.sha256()
        for chunk in _chunks(descriptor, size):
            sha.update(chunk)
    return File(size, sha.hexdigest())


def _chunks(descriptor: int, size: int) -> Iterator[bytes]:
    while size > 0 and (chunk := os.read(descriptor, min(size, _CHUNK))):
        size -= len(chunk)
        yield chunk


@contextmanager
def _opened(path: Path, name: str) -> Iterator[tuple[int, int]]:
    """Opens a plain file of a checkpoint, never through a link: `(descriptor, bytes)`."""
    # Without O_NONBLOCK, opening a pipe that somebody put there would wait for ever.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path / name, flags)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise DamagedCheckpoint(path, name, "is not a plain file")
            yield descriptor, status.st_size
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise DamagedCheckpoint(path, name, "is missing") from None
    except OSError as error:
        raise DamagedCheckpoint(path, name, f"cannot be read: {error.strerror}") from error
