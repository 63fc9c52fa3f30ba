"""Unpack archives of runs from untrusted sources, without writing outside the target folder.

An archive is refused if a member is a link to elsewhere, a device, or has a path that leaves the
folder, and if it unpacks to much more than runs do.
"""

from __future__ import annotations

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from jaxpot.checkpoints import durable
from jaxpot.errors import UserError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".zip")
MAX_MEMBERS = 1_000_000
MAX_RATIO = 200
"""Greatest allowed ratio of unpacked to packed size; for journals it is about 20."""

_ALWAYS_ALLOWED = 1 << 30  # bytes
_MAX_READ = 16 << 20  # bytes; only a member's data is longer, and that is read in chunks
_CHUNK = 1 << 20
_DEPTH = 32
_ENCRYPTED = 1
_GZIP = b"\x1f\x8b"
# Other methods need as much memory as the archive claims.
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError),
    NotImplementedError,  # raised by zipfile for a compression method that it does not support
    ValueError,  # raised by zipfile and tarfile for a header whose fields make no sense
)


def is_archive(path: Path) -> bool:
    """Return whether a file has the name of an archive."""
    return path.name.endswith(SUFFIXES)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into an empty folder.

    Raises:
        UserError: It is damaged, not an archive, or holds something that no run has.
    """
    room = _Room(archive, folder)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, room)
        else:
            _untar(archive, room)
    except _BROKEN as error:
        raise UserError(f"{archive}: cannot be unpacked: {error}") from error


class _Room:
    """The target folder, and the remaining allowance of bytes and members."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self._archive = archive
        self._folder = folder
        allowed = max(_ALWAYS_ALLOWED, MAX_RATIO * archive.stat().st_size)
        self._left = min(allowed, shutil.disk_usage(folder).free)
        self._members = 0

    def refuse(self, name: str, why: str) -> UserError:
        return UserError(f"{self._archive}: {name!r} {why}; nothing was imported from it")

    def count(self, size: int, name: str) -> None:
        """Count unpacked bytes against the allowance."""
        self._left -= size
        if self._left < 0:
            raise self.refuse(name, "makes it unpack to more than there is room for, or runs have")

    def path(self, name: str) -> Path:
        """Return the target path of a member."""
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise self.refuse(name, f"is one member more than {MAX_MEMBERS}")
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\0" in name or len(parts) > _DEPTH:
            raise self.refuse(name, "leads out of the archive's folder")
        return self._folder.joinpath(*parts)

    def write(self, name: str, source: IO[bytes]) -> None:
        """Unpack one file, within the allowance."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as file:
                while chunk := source.read(_CHUNK):
                    self.count(len(chunk), name)
                    file.write(chunk)
        except FileExistsError:
            raise self.refuse(name, "is there twice") from None

    def link(self, name: str, target: str) -> None:
        """Add a hard link to a file that is already unpacked."""
        first = self.path(target)
        if not first.is_file():
            raise self.refuse(name, f"is a link to {target!r}, which is no file before it")
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            durable.link(first, path)
        except FileExistsError:
            raise self.refuse(name, "is there twice") from None


def _unzip(archive: Path, room: _Room) -> None:
    with zipfile.ZipFile(archive) as members:
        for info in members.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir():
                room.path(info.filename).mkdir(parents=True, exist_ok=True)
            elif info.compress_type not in _ZIP_METHODS or info.flag_bits & _ENCRYPTED:
                raise room.refuse(info.filename, "is encrypted, or not compressed as zip does")
            elif kind in (0, stat.S_IFREG):
                with members.open(info) as source:
                    room.write(info.filename, source)
            else:
                raise room.refuse(info.filename, "is a link or a device")


def _untar(archive: Path, room: _Room) -> None:
    with _decompressed(archive) as stream:
        metered: Any = _Metered(stream, room)
        with tarfile.open(fileobj=metered, mode="r:") as members:
            for info in members:
                if info.isdir():
                    room.path(info.name).mkdir(parents=True, exist_ok=True)
                elif info.isreg():
                    source = members.extractfile(info)
                    if source is not None:
                        room.write(info.name, source)
                elif info.islnk():
                    room.link(info.name, info.linkname)
                else:
                    raise room.refuse(info.name, "is a link or a device")


@contextmanager
def _decompressed(archive: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with archive.open("rb") as file:
        is_compressed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if is_compressed:
            with gzip.open(file, "rb") as stream:
                yield stream
        else:
            yield file


class _Metered:
    """A stream for `tarfile` that refuses reads of the absurd lengths that a header may claim."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, room: _Room) -> None:
        self._stream = stream
        self._room = room

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise self._room.refuse("a header", "is longer than any")
        return self._stream.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        return self._stream.seek(position, whence)

    def tell(self) -> int:
        return self._stream.tell()
