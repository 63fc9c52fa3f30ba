"""What can be wrong with the database, and which of DuckDB's errors mean it."""

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
    """The database cannot answer; the text says why and what to do."""


class DatabaseHeldError(StoreError):
    """Another program has the database open."""

    def __init__(self, path: Path, pid: int | None, program: str) -> None:
        self.pid = pid
        self.program = program
        who = "another program" if pid is None else f"process {pid} ({program})"
        super().__init__(f"{path} is held by {who}")


class LockKeptError(StoreError):
    """Another jaxpot kept the lock file for longer than one was ready to wait."""


class DatabaseFullError(StoreError):
    """There is no room, on the disk or in memory, for what was to be done."""


class DatabaseDamagedError(StoreError):
    """The file is not a database that can be read."""

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
    """An older jaxpot wrote the database; the next ingest makes it again from the journals."""


def translated(error: duckdb.Error, path: Path) -> Exception:
    """Give what an error of an open database means: itself, where the query is to blame."""
    import duckdb

    if _NO_ROOM.search(str(error)):
        return DatabaseFullError(f"{path}: {first_line(error)}")
    broken = duckdb.IOException, duckdb.InternalException, duckdb.SerializationException
    if isinstance(error, broken) or "Corrupt database" in str(error) or "FATAL" in str(error):
        return DatabaseDamagedError(path, first_line(error))
    return error


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Raise what an error of the block's queries means instead of DuckDB's own, where it differs.

    Raises:
        StoreError: the database is damaged, or there is no room.
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
    """Give an error's first line, without DuckDB's class of it."""
    line = str(error).strip().partition("\n")[0]
    return re.sub(r"^[A-Z]\w+( \w+)? Error: ", "", line)
