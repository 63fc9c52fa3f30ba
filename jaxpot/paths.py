"""Paths as users write them, and files that take their place whole."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxpot.errors import UserError


def expanded(path: str | os.PathLike[str]) -> Path:
    """Returns a path with a leading `~` or `~user` replaced by that home directory.

    A shell does so for some words only: not after `=`, in quotes, or in a spec.

    Raises:
        UserError: No home directory is known for it.
    """
    # Not by `Path.expanduser`: a Path of "./~" has forgotten its "./".
    given = os.fspath(path)
    found = os.path.expanduser(given)
    if found == given and given.startswith("~"):
        raise UserError(
            f"{given}: no home directory is known for {Path(given).parts[0]}; write the path in "
            f"full, or ./{given} for a file of that name"
        )
    return Path(found)


def check_working_directory() -> None:
    """Checks that relative paths mean something.

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
    """Give a name beside `path` to write a file under, which is renamed to `path` at the end.

    A block that fails leaves `path` as it is, and nothing beside it.

    Args:
        path: The file to make or replace.
        durable: Flush the file before the renaming, and its folder after it, so that a power cut
            leaves the old file or the new one. Only for a file that one process at a time writes.

    Raises:
        OSError: The file cannot be flushed or renamed.
    """
    # Where one process writes, it writes over what a killed one left; elsewhere each has a name.
    mark = "0" * 8 if durable else secrets.token_hex(4)
    draft = path.absolute().with_name(f".tmp-{path.name}-{mark}")
    try:
        draft.unlink(missing_ok=True)
        yield draft
        if durable:
            sync(draft)
        draft.rename(path)
    except BaseException:  # Ctrl-C too: whatever ends the block, no draft stays
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def write_file(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file whole, in place of the one of its name; see `replacing`."""
    with replacing(path, durable=durable) as draft:
        draft.write_bytes(data)


def write_output(path: Path, data: bytes) -> None:
    """Write a file that the user named, whole, in place of the one of its name.

    A link's file is replaced, not the link; a pipe or a device is written to as it is.

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
    """Refuse to write over something that is there.

    Raises:
        UserError: There is something, and `force` is not given.
    """
    if not force and os.path.lexists(path):
        raise UserError(f"{path} is there already; choose another place, or --force")


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
