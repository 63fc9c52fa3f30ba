"""Errors of the store, and the DuckDB errors that they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jaxpot.errors import UserError

if TYPE_CHECKING:
    import duckdb

_NO_ROOM = re.compile(r"No space left|File too large|Disk quota|Out of Memory", re.I)


class StoreError(UserError):
    """The database cannot be used; the text says why and what to do."""


class DatabaseHeldError(StoreError):
    """Another program has the database open."""

    def __init__(self, path: Path, pid: int | None, program: str) -> None:
        self.pid = pid
        self.program = program
        who = "another program" if pid is None else f"process {pid} ({program})"
        super().__init__(f"{path} is held by {who}")


class LockKeptError(StoreError):
    """Another jaxpot process held the lock file for too long."""


class DatabaseFullError(StoreError):
    """The disk or the memory is full."""


class DatabaseDamagedError(StoreError):
    """The file is not a readable database."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is damaged ({reason}); `jaxpot rebuild` makes it again from the journals"
        )


class SchemaMismatchError(StoreError):
    """Another version of jaxpot wrote the database."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        self.found = found
        if found > known:
            text = (
                f"was written by a newer jaxpot (schema {found}, this one knows {known}); "
                "upgrade jaxpot, or `jaxpot rebuild` makes it again for this one"
            )
        else:
            text = (
                f"has schema {found}, this jaxpot needs {known}; "
                "`jaxpot rebuild` makes it again from the journals"
            )
        super().__init__(f"{path} {text}")


class OldSchemaError(SchemaMismatchError):
    """An older jaxpot wrote the database; the next ingest rebuilds it from the journals."""


def translated(error: duckdb.Error, path: Path) -> Exception:
    """Translate a DuckDB error into one of ours; if the query caused it, return it unchanged."""
    import duckdb

    if _NO_ROOM.search(str(error)):
        return DatabaseFullError(f"{path}: {first_line(error)}")
    broken = duckdb.IOException, duckdb.InternalException, duckdb.SerializationException
    if isinstance(error, broken) or "Corrupt database" in str(error) or "FATAL" in str(error):
        return DatabaseDamagedError(path, first_line(error))
    return error


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Translate DuckDB errors in the block into errors of the store.

    Raises:
        StoreError: The database is damaged, or the disk is full.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        meaning = translated(error, path)
        if meaning is error:
            raise
        raise meaning from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error, without the class that DuckDB puts in front."""
    line = str(error).strip().partition("\n")[0]
    return re.sub(r"^[A-Z]\w+( \w+)? Error: ", "", line)
