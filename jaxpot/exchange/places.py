"""What there is to import under a path: runs' journals, and TensorBoard's logs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from jaxpot.errors import UserError
from jaxpot.store.journal import JOURNAL_NAME

EVENTS = ".tfevents."
"""What the names of TensorBoard's event files have in them."""


class Source(NamedTuple):
    """A folder that holds a run, in jaxpot's form or in TensorBoard's."""

    kind: Literal["journal", "tensorboard"]
    folder: Path
    name: str


def sources(path: Path, *, called: Path | None = None) -> list[Source]:
    """Find the runs in a folder: itself or below, but none within another.

    Args:
        path: The folder, or a journal.
        called: What to call it in an error.

    Raises:
        UserError: there is none.
    """
    if path.name == JOURNAL_NAME and path.is_file():
        path = path.parent
    found = list(_walk(path, path))
    if not found:
        raise UserError(
            f"{called or path}: nothing to import: neither a run's folder (with {JOURNAL_NAME}) "
            f"nor one of TensorBoard's (with *{EVENTS}*) is in it"
        )
    return found


def _walk(folder: Path, root: Path) -> Iterator[Source]:
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except NotADirectoryError:
        return
    files = [entry.name for entry in inside if entry.is_file(follow_symlinks=False)]
    if JOURNAL_NAME in files:
        yield Source("journal", folder, folder.name)
        return
    if any(EVENTS in name for name in files):
        relative = folder.relative_to(root).as_posix()
        yield Source("tensorboard", folder, folder.resolve().name if relative == "." else relative)
    for entry in inside:
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _walk(folder / entry.name, root)
