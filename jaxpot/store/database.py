"""The database file: how it is made, opened, checked, and what each refusal means."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jaxpot.store import errors

if TYPE_CHECKING:
    import duckdb

Config = dict[str, str | bool | int | float | list[str]]

SCHEMA_VERSION = 5
DATABASE_NAME = "jaxpot.duckdb"
LOCK_NAME = "jaxpot.lock"

_DEFINITIONS = ("schema.sql", "views.sql", "macros.sql", "comments.sql")

# Released DuckDB shells, older than the library that writes, can open the file.
STORAGE_VERSION = "v1.5.0"

_HELD = re.compile(r"Could not set lock on file.*?Conflicting lock is held in (.*?) ?\(PID (\d+)")
_PAUSE_SECONDS = 0.05
_NOT_IN_PATHS = ("?", "\\")  # options begin behind the one, the other parts folders


def connect(path: Path, *, read_only: bool, allow_files: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a database that exists and check its schema version.

    Args:
        path: The database.
        read_only: Several processes can read at once; one that writes excludes all others.
        allow_files: Let a reader's queries reach files and the network.

    Raises:
        DatabaseHeldError: another program has it open in a way that excludes this.
        DatabaseDamagedError: it is not a database, or its schema is not jaxpot's.
        OldSchemaError: an older jaxpot wrote it; it is to be made again from the journals.
        SchemaMismatchError: a newer jaxpot wrote it.
    """
    config = _config(read_only=read_only, allow_files=allow_files)
    connection = _open(path, config, lock=read_only and not allow_files)
    with ExitStack() as unless_checked:
        unless_checked.callback(connection.close)
        _check_schema(connection, path)
        unless_checked.pop_all()
    return connection


def create(path: Path) -> None:
    """Make an empty database: under another name first, so that `path` is never half of one."""
    draft = path.with_name(f"{path.name}.new")
    with drafted(draft):
        pass
    replace(draft, path)


@contextmanager
def drafted(draft: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Make a database that is to be put in another's place, open until the end of the block."""
    remove(draft)
    connection = _open(draft, _config(read_only=False))
    try:
        with errors.guarded(draft):
            define(connection)
            yield connection
    finally:
        connection.close()


def define(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables, views, macros and comments in an empty database."""
    from importlib import resources

    connection.begin()  # a transaction for each statement takes twenty times longer
    for part in _DEFINITIONS:
        connection.execute(resources.files("jaxpot.store").joinpath(part).read_text())
    connection.execute("INSERT INTO meta VALUES (?)", [SCHEMA_VERSION])
    connection.commit()


def in_memory(*, allow_files: bool = False) -> duckdb.DuckDBPyConnection:
    """Give an empty database that is not on disk: what there is to read where no run is."""
    import duckdb

    config = _config(read_only=True, allow_files=allow_files)
    for name in ("access_mode", "temp_directory"):  # of a file's only
        del config[name]
    connection = _settled(duckdb.connect(":memory:", config=config), lock=not allow_files)
    define(connection)
    return connection


def remove(path: Path) -> None:
    """Remove a database and its write-ahead log, which without it would be a stranger's."""
    wal(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def replace(draft: Path, path: Path) -> None:
    """Put a closed database in another's place, atomically.

    Raises:
        DatabaseFullError: it is not all in its file; there was no room when it was closed.
    """
    # Closing writes the log into the file, and says nothing where that fails.
    if wal(draft).exists():
        remove(draft)
        raise errors.DatabaseFullError(f"{path}: no room to write it in full")
    # Losing the log alone rolls back to rows and journal positions that belong together.
    wal(path).unlink(missing_ok=True)
    os.replace(draft, path)


def wal(path: Path) -> Path:
    """Give the path of a database's write-ahead log."""
    return path.with_name(path.name + ".wal")


def wait_until_free(path: Path, *, wait: float) -> None:
    """Make sure that no other program has a database open that is to be replaced.

    It would write into the new one's log.

    Raises:
        DatabaseHeldError: one has, after `wait` seconds still.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            if path.exists():
                connect(path, read_only=False).close()
        except errors.DatabaseHeldError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        except errors.StoreError:
            return  # damaged, or of another version: why it is replaced
        else:
            return


def check_place(path: Path) -> None:
    """Refuse a path that DuckDB reads as something else than the file of that name.

    Raises:
        StoreError: it is one; the text says what is in the way.
    """
    place = os.path.abspath(path)
    try:
        place.encode()
    except UnicodeEncodeError:
        odd = "bytes that are no UTF-8"
    else:
        odd = next((repr(mark) for mark in _NOT_IN_PATHS if mark in place), "")
    if odd:
        shown = place.encode("utf-8", "backslashreplace").decode()
        raise errors.StoreError(
            f"{shown} has {odd} in it, which no database's path may have; rename the folder, or "
            "name another one by --runs-dir"
        )


def attached(path: Path) -> str:
    """Give a database's path as the text that an ATTACH names it by.

    Raises:
        StoreError: DuckDB takes no such path.
    """
    check_place(path)
    return os.path.abspath(path).replace("'", "''")


def _settled(connection: duckdb.DuckDBPyConnection, *, lock: bool) -> duckdb.DuckDBPyConnection:
    """Set what a connection cannot be opened with."""
    # A query of more than two seconds would draw the bar on stdout, into the answer.
    connection.execute("SET enable_progress_bar = false")
    if lock:
        connection.execute("SET lock_configuration = true")
    return connection


def _open(path: Path, config: Config, *, lock: bool = False) -> duckdb.DuckDBPyConnection:
    import duckdb

    check_place(path)
    try:
        # Of a path that is not absolute it would take `~` for a home, and `a:b` for a scheme.
        return _settled(duckdb.connect(os.path.abspath(path), config=config), lock=lock)
    except duckdb.ConnectionException as error:
        if "different configuration" in str(error):
            raise errors.DatabaseHeldError(path, os.getpid(), "this one") from error
        raise errors.DatabaseDamagedError(path, errors.first_line(error)) from error
    except duckdb.Error as error:
        held = _HELD.search(str(error))
        if held:
            raise errors.DatabaseHeldError(path, int(held[2]), held[1] or "unknown") from error
        if "set lock" in str(error):
            raise errors.DatabaseHeldError(path, None, "") from error
        if not path.exists():
            raise errors.StoreError(f"there is no {path}; `jaxpot rebuild` makes it") from error
        if not os.access(path, os.R_OK if "access_mode" in config else os.W_OK):
            raise errors.StoreError(f"{path}: {errors.first_line(error)}") from error
        raise errors.translated(error, path) from error


def _config(*, read_only: bool, allow_files: bool = False) -> Config:
    cores = os.cpu_count() or 1
    if read_only:
        return {
            "access_mode": "READ_ONLY",
            "threads": min(cores, 8),
            "memory_limit": "2GB",
            "temp_directory": "",
            "enable_external_access": allow_files,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
        }
    return {
        "threads": min(cores, 2),
        "async_threads": 2,
        "memory_limit": "1GB",
        "temp_directory": "",
        "storage_compatibility_version": STORAGE_VERSION,
    }


def _check_schema(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    import duckdb

    try:
        row = connection.execute("SELECT schema_version FROM meta").fetchone()
    except duckdb.Error as error:
        raise errors.DatabaseDamagedError(path, errors.first_line(error)) from error
    if row is None:
        raise errors.DatabaseDamagedError(path, "its table meta is empty")
    if 0 < row[0] < SCHEMA_VERSION:
        raise errors.OldSchemaError(path, row[0], SCHEMA_VERSION)
    if row[0] != SCHEMA_VERSION:
        raise errors.SchemaMismatchError(path, row[0], SCHEMA_VERSION)
