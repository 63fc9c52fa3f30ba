"""Paths as users write them, and files that are replaced atomically."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxpot.errors import UserError


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with a leading `~` or `~user` replaced by that home directory.

    A shell does so in some places only: not after `=`, in quotes, or in a spec.

    Raises:
        UserError: Its home directory is unknown.
    """
    # Not by `Path.expanduser`: a Path of "./~" has dropped the "./".
    given = os.fspath(path)
    found = os.path.expanduser(given)
    if found == given and given.startswith("~"):
        raise UserError(
            f"{given}: the home directory of {Path(given).parts[0]} is unknown; write the path in "
            f"full, or ./{given} for a file of that name"
        )
    return Path(found)


def check_working_directory() -> None:
    """Check that the working directory exists, so that relative paths have a meaning.

    Raises:
        UserError: The working directory was deleted.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise UserError(
            f"the working directory is gone ({error.strerror}); change to one that exists"
        ) from error


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path` to write to; rename it to `path` at the end.

    If the block fails, `path` does not change and no temporary file stays.

    Args:
        path: The file to make or replace.
        durable: Flush the file before the renaming and its folder after it, so that a power cut
            leaves the old file or the new one. Only for files with one writer at a time.

    Raises:
        OSError: The file cannot be flushed or renamed.
    """
    # A single writer reuses one name, and so overwrites what a killed one left; several writers
    # need different names.
    mark = "0" * 8 if durable else secrets.token_hex(4)
    draft = path.absolute().with_name(f".tmp-{path.name}-{mark}")
    try:
        draft.unlink(missing_ok=True)
        yield draft
        if durable:
            sync(draft)
        draft.rename(path)
    except BaseException:  # Ctrl-C too
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def write_file(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write or replace a file atomically; see `replacing`."""
    with replacing(path, durable=durable) as draft:
        draft.write_bytes(data)


def write_output(path: Path, data: bytes) -> None:
    """Write or replace a file that the user named, atomically.

    Of a link, the target is replaced. A pipe or a device is written to directly.

    Raises:
        UserError: It cannot be written.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(data)
        else:
            write_file(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuse to overwrite an existing path.

    Raises:
        UserError: It exists, and `force` is not given.
    """
    if not force and os.path.lexists(path):
        raise UserError(f"{path} is there already; choose another path, or use --force")


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
