"""How many bytes a folder takes, and how many deleting it gives back."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path


def freed_bytes(paths: Iterable[Path]) -> int:
    """Count the bytes that deleting files and folders together gives back.

    Checkpoints share files by hard links, and a file is gone with its last name only.
    """
    names: Counter[tuple[int, int]] = Counter()
    status: dict[tuple[int, int], os.stat_result] = {}
    for path in paths:
        for found in _files(path):
            inode = (found.st_dev, found.st_ino)
            names[inode] += 1
            status[inode] = found
    return sum(found.st_size for inode, found in status.items() if names[inode] >= found.st_nlink)


def _files(path: Path) -> Iterator[os.stat_result]:
    """Yield what each name of a file below `path` says, following no link."""
    folders = [path]
    if not path.is_dir() or path.is_symlink():
        folders = []
        try:
            yield path.lstat()
        except FileNotFoundError:
            return
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    else:
                        # An entry's own cached look knows no number of links on some systems.
                        yield os.stat(entry.path, follow_symlinks=False)
        except FileNotFoundError:
            continue  # deleted meanwhile
