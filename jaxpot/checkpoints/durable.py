"""Directories that appear and disappear whole, and survive a power cut.

Next to its final name a directory may have one of these, each containing the final name:

    .tmp-000100-1f3a5c7e   being written; worthless until it is renamed
    .old-000100-1f3a5c7e   moved out of the way of its replacement, between two renames
    .del-000100-1f3a5c7e   deleted; its files are being removed

`sweep` cleans up what a killed writer left. Files have such names too, while
`jaxpot.paths.replacing` writes them.
"""

import errno
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import NamedTuple

from jaxpot.paths import sync

_ASIDE = re.compile(r"\.(tmp|old|del)-(.+)-[0-9a-f]{8}")
# What file systems answer when they have no hard links, or no more of them for a file.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


class Aside(NamedTuple):
    """A file or directory under a temporary name, for "tmp", "old" or "del"."""

    path: Path
    purpose: str
    final: Path

    @property
    def is_the_original(self) -> bool:
        """Whether it was moved out of the way of a replacement that never came."""
        return self.purpose == "old" and not os.path.lexists(self.final)


def aside(path: Path, purpose: str) -> Path:
    """Return a new temporary name next to `path`, for "tmp", "old" or "del"."""
    return path.with_name(f".{purpose}-{path.name}-{secrets.token_hex(4)}")


def parse_aside(path: Path) -> Aside | None:
    """Read a name that `aside` made; None for any other name."""
    match = _ASIDE.fullmatch(path.name)
    return Aside(path, match[1], path.with_name(match[2])) if match else None


def asides(directory: Path) -> list[Aside]:
    """List what has a temporary name in a directory, by name; nothing if there is no directory."""
    paths = sorted(directory.iterdir()) if directory.is_dir() else []
    return [found for path in paths if (found := parse_aside(path)) is not None]


def require_space(directory: Path, size: int) -> None:
    """Refuse to start writing what the disk has no room for.

    Raises:
        OSError: With ENOSPC: fewer than `size` bytes are free.
    """
    status = os.statvfs(directory)
    if status.f_blocks and status.f_bavail * status.f_frsize < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def publish(temporary: Path, final: Path) -> None:
    """Rename a directory to its final name, durably, replacing another one of that name.

    Its contents must be on the disk already (`sync_tree`).
    """
    old = None
    if os.path.lexists(final):
        old = aside(final, "old")
        final.rename(old)
    temporary.rename(final)
    sync(final.parent)
    if old is not None:
        discard(old)


def retire(path: Path) -> Path:
    """Take a directory's final name away, durably; return the temporary name, to `discard`."""
    gone = aside(path, "del")
    path.rename(gone)
    sync(path.parent)
    return gone


def discard(path: Path) -> None:
    """Remove a file or directory if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def sweep(directory: Path) -> None:
    """Clean up after a killed writer: undo half-made replacements, remove everything else.

    Only the run's one writer may call this.
    """
    for found in asides(directory):
        if found.is_the_original:
            found.path.rename(found.final)
            sync(directory)
        else:
            discard(found.path)


def link_tree(source: Path, destination: Path) -> None:
    """Make a new directory whose files are hard links to those of another."""
    for folder, _, files in os.walk(source):
        target = destination / Path(folder).relative_to(source)
        target.mkdir(parents=True)
        for name in files:
            link(Path(folder, name), target / name)


def link(source: Path, target: Path) -> None:
    """Give a file a second name; copy it where the file system has no hard links."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target)


def sync_tree(directory: Path) -> None:
    """Flush every file and directory of a tree to the disk, and its parent last."""
    for folder, _, files in os.walk(directory, topdown=False):
        for name in files:
            sync(Path(folder, name))
        sync(Path(folder))
    sync(directory.parent)
