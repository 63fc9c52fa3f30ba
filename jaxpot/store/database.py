"""Create, open, check and replace the database file."""

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

# Lets released DuckDB shells that are older than our library open the file.
STORAGE_VERSION = "v1.5.0"

_HELD = re.compile(r"Could not set lock on file.*?Conflicting lock is held in (.*?) ?\(PID (\d+)")
_PAUSE_SECONDS = 0.05
_NOT_IN_PATHS = ("?", "\\")  # DuckDB reads options after the one and folders around the other


def connect(path: Path, *, read_only: bool, allow_files: bool = False) -> duckdb.DuckDBPyConnection:
    """Open an existing database and check its schema version.

    Args:
        path: The database.
        read_only: Several processes can read at the same time; a writer excludes all others.
        allow_files: Allow a reader's queries to access files and the network.

    Raises:
        DatabaseHeldError: Another program has it open in a conflicting mode.
        DatabaseDamagedError: It is not a DuckDB database, or not one of jaxpot's.
        OldSchemaError: An older jaxpot wrote it; rebuild it from the journals.
        SchemaMismatchError: A newer jaxpot wrote it.
    """
    config = _config(read_only=read_only, allow_files=allow_files)
    connection = _open(path, config, lock=read_only and not allow_files)
    with ExitStack() as unless_checked:
        unless_checked.callback(connection.close)
        _check_schema(connection, path)
        unless_checked.pop_all()
    return connection


def create(path: Path) -> None:
    """Create an empty database under a temporary name, then rename it to `path`."""
    draft = path.with_name(f"{path.name}.new")
    with drafted(draft):
        pass
    replace(draft, path)


@contextmanager
def drafted(draft: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Create a database to replace another one; it is open until the end of the block."""
    remove(draft)
    connection = _open(draft, _config(read_only=False))
    try:
        with errors.guarded(draft):
            define(connection)
            yield connection
    finally:
        connection.close()


def define(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables, views, macros and comments in an empty database."""
    from importlib import resources

    connection.begin()  # a transaction for each statement takes twenty times longer
    for part in _DEFINITIONS:
        connection.execute(resources.files("jaxpot.store").joinpath(part).read_text())
    connection.execute("INSERT INTO meta VALUES (?)", [SCHEMA_VERSION])
    connection.commit()


def in_memory(*, allow_files: bool = False) -> duckdb.DuckDBPyConnection:
    """Return an empty database in memory, to read from while there are no runs."""
    import duckdb

    config = _config(read_only=True, allow_files=allow_files)
    for name in ("access_mode", "temp_directory"):  # these apply to files only
        del config[name]
    connection = _settled(duckdb.connect(":memory:", config=config), lock=not allow_files)
    define(connection)
    return connection


def remove(path: Path) -> None:
    """Remove a database together with its write-ahead log."""
    wal(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def replace(draft: Path, path: Path) -> None:
    """Move a closed database to `path`, atomically.

    Raises:
        DatabaseFullError: There was no room to write all of it when it was closed.
    """
    # Closing writes the log into the file, and does not report it if that fails.
    if wal(draft).exists():
        remove(draft)
        raise errors.DatabaseFullError(f"{path}: no room to write it in full")
    # Without its log, a database still has rows and journal positions that fit together.
    wal(path).unlink(missing_ok=True)
    os.replace(draft, path)


def wal(path: Path) -> Path:
    """Return the path of a database's write-ahead log."""
    return path.with_name(path.name + ".wal")


def wait_until_free(path: Path, *, wait: float) -> None:
    """Wait until no other program has the database open, before it is replaced.

    Such a program would write into the new database's log.

    Raises:
        DatabaseHeldError: A program still has it open after `wait` seconds.
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
            return  # damaged or of another version, which is why it is replaced
        else:
            return


def check_place(path: Path) -> None:
    """Refuse a path that DuckDB would not read as a plain file name.

    Raises:
        StoreError: The path contains such a character.
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
    """Return a database's path, quoted for ATTACH.

    Raises:
        StoreError: DuckDB cannot open such a path.
    """
    check_place(path)
    return os.path.abspath(path).replace("'", "''")


def _settled(connection: duckdb.DuckDBPyConnection, *, lock: bool) -> duckdb.DuckDBPyConnection:
    """Set what a connection cannot be opened with."""
    import duckdb

    try:
        # A query of more than two seconds would draw the bar on stdout, into the answer.
        connection.execute("SET enable_progress_bar = false")
        if lock:
            connection.execute("SET lock_configuration = true")
    except duckdb.InvalidInputException:
        # Another thread has the database open, and has locked the settings that both share.
        if not lock:
            connection.close()
            raise
    return connection


def _open(path: Path, config: Config, *, lock: bool = False) -> duckdb.DuckDBPyConnection:
    import duckdb

    check_place(path)
    try:
        # In a relative path, DuckDB reads `~` as a home folder and `a:b` as a scheme.
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
