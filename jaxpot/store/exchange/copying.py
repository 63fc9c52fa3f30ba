"""Copy files of foreign runs, plain files only, and copy and compare journals by lines."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path
from typing import IO

from jaxpot.checkpoints import durable
from jaxpot.errors import UserError

_CHUNK = 1 << 20


def copy_tree(source: Path, target: Path, *, skip: Collection[str] = ()) -> int:
    """Copy the files below a folder, keeping hard links; return how many were left out.

    Links and special files are left out, and so are names that start with a dot: those are being
    written or deleted.

    Args:
        source: The folder.
        target: An existing folder.
        skip: Names directly in `source` that are not copied.
    """
    first: dict[tuple[int, int], Path] = {}
    left_out = 0
    folders = [(source, target)]
    while folders:
        here, there = folders.pop()
        for entry in sorted(os.scandir(here), key=lambda entry: entry.name):
            if entry.name.startswith(".") or (here == source and entry.name in skip):
                continue
            copy = there / entry.name
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                copy.mkdir()
                folders.append((Path(entry.path), copy))
            elif not stat.S_ISREG(found.st_mode):
                left_out += 1
            elif (found.st_dev, found.st_ino) in first:
                durable.link(first[found.st_dev, found.st_ino], copy)
            else:
                with opened_plainly(Path(entry.path)) as data, copy.open("xb") as file:
                    shutil.copyfileobj(data, file, _CHUNK)
                if found.st_nlink > 1:
                    first[found.st_dev, found.st_ino] = copy
    return left_out


def opened_plainly(path: Path) -> IO[bytes]:
    """Open a plain file, without following a link.

    Raises:
        UserError: It is not a plain file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UserError(f"{path} is no plain file")
    return os.fdopen(descriptor, "rb")


def copy_whole_lines(source: Path, target: Path) -> None:
    """Copy a journal up to its last newline; a line that follows was still being written.

    Raises:
        UserError: It is not a plain file.
    """
    kept = 0
    with opened_plainly(source) as lines, target.open("xb") as file:
        while chunk := lines.read(_CHUNK):
            newline = chunk.rfind(b"\n")
            if newline >= 0:
                kept = file.tell() + newline + 1
            file.write(chunk)
        file.truncate(kept)
        file.flush()
        os.fsync(file.fileno())


def common_lines(a: Path, b: Path) -> int:
    """Return the length in bytes of the whole lines that two journals start with in common."""
    done = line_end = 0
    with a.open("rb") as first, b.open("rb") as second:
        while True:
            x, y = first.read(_CHUNK), second.read(_CHUNK)
            alike = _alike(x, y)
            newline = x.rfind(b"\n", 0, alike)
            if newline >= 0:
                line_end = done + newline + 1
            done += alike
            if alike < _CHUNK:
                return line_end


def _alike(x: bytes, y: bytes) -> int:
    """Return the length of the common prefix of two texts."""
    if x == y:
        return len(x)
    low, high = 0, min(len(x), len(y))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if x[:middle] == y[:middle] else (low, middle - 1)
    return low


def whole_size(path: Path) -> int:
    """Return the size of a journal's whole lines."""
    with path.open("rb") as file:
        return _end_of_lines(file)


def _end_of_lines(file: IO[bytes]) -> int:
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _CHUNK)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
