"""Find and import the runs in a path: folders, archives, journals, TensorBoard logs."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME
from jaxpot.store.exchange.archives import is_archive, unpack
from jaxpot.store.exchange.event_files import EVENTS
from jaxpot.store.exchange.journals import Imported, import_journal, staging
from jaxpot.store.exchange.tensorboard_logs import import_log

_UNREADABLE = (errno.EACCES, errno.EPERM, errno.ENOENT, errno.ELOOP, errno.EIO)


def import_path(
    runs_dir: Path, path: Path, *, update: bool = False, checkpoints: bool = True
) -> Iterator[Imported]:
    """Import each run in a path; yield the result for each.

    A run that cannot be imported is reported as refused, and the others go on. A folder that is not
    searched is reported as skipped, without a uid.

    Raises:
        UserError: The path does not exist or holds no run, or the archive is not safe to unpack.
    """
    if path.is_dir() or path.name.endswith(".jsonl"):
        yield from _import_folder(runs_dir, path, update=update, checkpoints=checkpoints)
    elif not path.is_file():
        raise UserError(f"{path}: there is no such file or folder")
    elif is_archive(path):
        runs_dir.mkdir(parents=True, exist_ok=True)
        with staging(runs_dir) as room:
            folder = room / path.name.partition(".")[0]
            folder.mkdir()
            unpack(path, folder)
            yield from _import_folder(
                runs_dir, folder, update=update, checkpoints=checkpoints, archive=path
            )
    else:
        raise UserError(
            f"{path}: neither a folder nor an archive (.tar, .tar.gz, .tgz, .zip) nor a journal"
        )


def _import_folder(
    runs_dir: Path, folder: Path, *, update: bool, checkpoints: bool, archive: Path | None = None
) -> Iterator[Imported]:
    found, passed_over = sources(folder, called=archive)
    for path, why in passed_over:
        yield Imported("", str(path.relative_to(folder) if archive else path), "skipped", why)
    for source in found:
        inside = source.folder.relative_to(folder) if archive is not None else ""
        origin = f"{archive.absolute()}/{inside}" if archive is not None else ""
        try:
            if source.kind == "journal":
                yield import_journal(
                    runs_dir, source.folder, update=update, checkpoints=checkpoints
                )
            else:
                yield import_log(runs_dir, source.folder, source.name, origin=origin, update=update)
        except (UserError, OSError) as error:
            why = str(error) if isinstance(error, UserError) else f"{source.folder}: {error}"
            if isinstance(error, OSError) and error.errno not in _UNREADABLE:
                raise
            yield Imported(source.folder.name, source.name, "refused", why)


_MAX_DEPTH = 64
_MAX_FOLDERS = 100_000
_SHOWN = 3


class Source(NamedTuple):
    """A folder with a run: a journal, or TensorBoard's event files."""

    kind: Literal["journal", "tensorboard"]
    folder: Path
    name: str


class PassedOver(NamedTuple):
    """A folder or file that was not searched, and why."""

    path: Path
    why: str


def sources(path: Path, *, called: Path | None = None) -> tuple[list[Source], list[PassedOver]]:
    """Find the runs in and below a folder, but not inside of other runs.

    Links to folders are followed; each folder is searched once. Hidden folders are not searched:
    programs keep unfinished and removed things there.

    Args:
        path: The folder, or a journal.
        called: The name of the folder in error messages.

    Returns:
        The runs, and what was not searched.

    Raises:
        UserError: There is no run.
    """
    if path.name == JOURNAL_NAME and path.is_file():
        path = path.parent
    walk = _Walk(path)
    found = list(walk.below(path, 0))
    if not found:
        listed = "; ".join(f"{one.path}: {one.why}" for one in walk.passed_over[:_SHOWN])
        more = f"; passed over: {listed}" if listed else ""
        raise UserError(
            f"{called or path}: nothing to import: neither a run's folder (with {JOURNAL_NAME}) "
            f"nor one of TensorBoard's (with *{EVENTS}*) is in it{more}"
        )
    return found, walk.passed_over


class _Walk:
    """A walk over a folder tree."""

    def __init__(self, root: Path) -> None:
        self.passed_over: list[PassedOver] = []
        self._root = root
        self._entered: dict[tuple[int, int], Path] = {}

    def below(self, folder: Path, depth: int) -> Iterator[Source]:
        """Yield the runs in a folder and below it."""
        try:
            status = folder.stat()
            first = self._entered.setdefault((status.st_dev, status.st_ino), folder)
            if first != folder:
                self._pass_over(folder, f"it is {first} again")
                return
            if depth > _MAX_DEPTH or len(self._entered) > _MAX_FOLDERS:
                self._pass_over(folder, f"{_MAX_DEPTH} levels or {_MAX_FOLDERS} folders are enough")
                return
            with os.scandir(folder) as entries:
                # Links last: a folder that is also in the tree keeps its own name.
                inside = sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))
        except NotADirectoryError:
            return
        except OSError as error:
            self._pass_over(folder, f"it cannot be read: {error.strerror}")
            return
        files = [entry for entry in inside if _is_file(entry)]
        journal = next((entry for entry in files if entry.name == JOURNAL_NAME), None)
        if journal is not None and not journal.is_symlink():
            yield Source("journal", folder, folder.name)
            return
        if journal is not None:
            self._pass_over(folder / JOURNAL_NAME, "it is a link; a run is where its journal is")
        if any(EVENTS in entry.name for entry in files):
            relative = folder.relative_to(self._root).as_posix()
            name = folder.resolve().name if relative == "." else relative
            yield Source("tensorboard", folder, name)
        for entry in inside:
            if not _is_folder(entry):
                continue
            if entry.name.startswith("."):
                self._pass_over(folder / entry.name, "it is hidden; name it to look into it")
            else:
                yield from self.below(folder / entry.name, depth + 1)

    def _pass_over(self, path: Path, why: str) -> None:
        self.passed_over.append(PassedOver(path, why))


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
