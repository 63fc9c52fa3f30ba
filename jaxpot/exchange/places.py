"""What there is to import under a path: runs' journals, and TensorBoard's logs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME

EVENTS = ".tfevents."
"""What the names of TensorBoard's event files have in them."""

_MAX_DEPTH = 64
_MAX_FOLDERS = 100_000
_SHOWN = 3


class Source(NamedTuple):
    """A folder that holds a run, in jaxpot's form or in TensorBoard's."""

    kind: Literal["journal", "tensorboard"]
    folder: Path
    name: str


class PassedOver(NamedTuple):
    """Something in a folder that was not looked into."""

    path: Path
    why: str


def sources(path: Path, *, called: Path | None = None) -> tuple[list[Source], list[PassedOver]]:
    """Find the runs in a folder: itself or below, but none within another.

    Links to folders are followed, each folder is entered once. Hidden folders are not entered:
    there programs keep what is being made or was removed.

    Args:
        path: The folder, or a journal.
        called: What to call it in an error.

    Returns:
        The runs, and what was passed over.

    Raises:
        UserError: there is none.
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
    """A walk over the folders below one."""

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
                # Links last: a folder is called by its own name where it is in the tree, too.
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
