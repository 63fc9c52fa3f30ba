"""Directories that appear and disappear whole, and survive a power cut.

Beside its final name a directory may have one of these, each with the final name inside:

    .tmp-000100-1f3a5c7e   being written; of no worth until it is renamed
    .old-000100-1f3a5c7e   moved out of the way of its replacement, for the instant between renames
    .del-000100-1f3a5c7e   deleted; its files are being removed

`sweep` settles what a killed writer left behind. Files have such names too, while
`jaxpot.paths.replacing` writes them.
"""

import errno
import os
import re
import secrets
import shutil
from pathlib import Path

from jaxpot.paths import sync

_ASIDE = re.compile(r"\.(tmp|old|del)-(.+)-[0-9a-f]{8}")
# What file systems answer when they have no hard links, or no more of them for a file.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


def aside(path: Path, what: str) -> Path:
    """Returns a new name beside `path`, for `what` = "tmp", "old" or "del"."""
    return path.with_name(f".{what}-{path.name}-{secrets.token_hex(4)}")


def require_space(directory: Path, size: int) -> None:
    """Refuses to begin what a disk has no room for.

    Raises:
        OSError: With ENOSPC: fewer than `size` bytes are free.
    """
    status = os.statvfs(directory)
    if status.f_blocks and status.f_bavail * status.f_frsize < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def publish(temporary: Path, final: Path) -> None:
    """Gives a directory its final name, durably, in place of another one that has it.

    What it holds must be on the disk already (`sync_tree`).
    """
    old = None
    if os.path.lexists(final):
        old = aside(final, "old")
        final.rename(old)
    temporary.rename(final)
    sync(final.parent)
    if old is not None:
        _remove(old)


def retire(path: Path) -> Path:
    """Takes a directory's final name away, durably; returns the name to `discard` it by."""
    gone = aside(path, "del")
    path.rename(gone)
    sync(path.parent)
    return gone


def discard(path: Path) -> None:
    """Removes a directory that has no final name, if it is there."""
    if os.path.lexists(path):
        _remove(path)


def set_aside(path: Path) -> tuple[str, Path] | None:
    """Reads a name that `aside` has made: what for, and the final path; None for another name."""
    match = _ASIDE.fullmatch(path.name)
    return (match[1], path.with_name(match[2])) if match else None


def link_tree(source: Path, destination: Path) -> None:
    """Makes a new directory whose files are hard links to another's, or copies without links."""
    for folder, _, files in os.walk(source):
        target = destination / Path(folder).relative_to(source)
        target.mkdir(parents=True)
        for name in files:
            link(Path(folder, name), target / name)


def link(source: Path, target: Path) -> None:
    """Gives a file a second name; a copy where the file system has no hard links."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target)


def sweep(directory: Path) -> None:
    """Settles what a killed writer left: takes back half-made replacements, removes the rest.

    Only the one writer of a run may call this.
    """
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        what, final = set_aside(path) or ("", path)
        if what == "old" and not os.path.lexists(final):
            path.rename(final)
            sync(directory)
        elif what:
            _remove(path)


def sync_tree(directory: Path) -> None:
    """Flushes every file and directory of a tree to the disk, and its parent last."""
    for folder, _, files in os.walk(directory, topdown=False):
        for name in files:
            sync(Path(folder, name))
        sync(Path(folder))
    sync(directory.parent)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
