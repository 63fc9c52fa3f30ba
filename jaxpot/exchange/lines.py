"""Journals as lines: copied whole, and compared with one another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from jaxpot.exchange.copying import opened_plainly

_CHUNK = 1 << 20


def copy_whole_lines(source: Path, target: Path) -> None:
    """Copy a journal up to its last newline: what follows it is a line that was being written.

    Raises:
        UserError: it is no plain file.
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
    """Give the number of bytes, in whole lines, that two journals begin with alike."""
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
    """Give how many bytes two texts begin with alike."""
    if x == y:
        return len(x)
    low, high = 0, min(len(x), len(y))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if x[:middle] == y[:middle] else (low, middle - 1)
    return low


def whole_size(path: Path) -> int:
    """Give the size of a journal's whole lines."""
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
