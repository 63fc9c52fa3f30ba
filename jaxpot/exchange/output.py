"""Where an export goes: files that appear whole, and never in the place of another unasked."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxpot.errors import UserError


@contextmanager
def appearing(path: Path, *, force: bool) -> Iterator[Path]:
    """Give a name to write a file under; at the block's end the file has its own.

    Raises:
        UserError: there is a file of that name, and `force` is not given.
    """
    refuse_existing(path, force=force)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuse to write over something that is there.

    Raises:
        UserError: there is something, and `force` is not given.
    """
    if not force and os.path.lexists(path):
        raise UserError(f"{path} is there already; choose another place, or --force")
