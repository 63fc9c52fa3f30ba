"""An older version's database brought to this one's schema, and any database written anew.

The new file is made beside the old one and takes its place when it is complete, so that whoever is
killed on the way leaves the old one as it was. Nothing is read from journals: they may be gone.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from jaxpot.store import database, errors
from jaxpot.store.tables import columns_of, table_names

if TYPE_CHECKING:
    import duckdb

# Up to schema 3, every point was in metrics.
_COUNT_UNSORTED = """
UPDATE journal_pos SET unsorted = counted.points
FROM (SELECT run_id, count(*) AS points FROM metrics GROUP BY run_id) AS counted
WHERE counted.run_id = journal_pos.run_id
"""
_SORTED_SINCE = 4


class MigrationError(errors.StoreError):
    """An older version's database could not be brought to this one's schema; it is as it was."""

    def __init__(self, path: Path, found: int, reason: str) -> None:
        super().__init__(
            f"{path} has schema {found} and could not be brought to {database.SCHEMA_VERSION}: "
            f"{reason}; it is as it was, and the next command tries again "
            "(`jaxpot rebuild` makes it from the journals instead)"
        )


def migrate(path: Path, found: int, *, wait: float) -> str:
    """Bring a database from the schema `found` to this one; the caller has the lock file.

    Returns:
        What a user should know: where the old one is kept.

    Raises:
        DatabaseHeldError: another program has it open.
        MigrationError: it could not be done; the old one is as it was.
    """
    database.wait_until_free(path, wait=wait)
    draft = path.with_name(f"{path.name}.migrated")
    kept = path.with_name(f"{path.stem}.schema{found}{path.suffix}")
    try:
        upgrade(path, draft, found)
        _keep(path, kept)
        database.replace(draft, path)
    except (errors.StoreError, OSError) as error:
        raise MigrationError(path, found, getattr(error, "strerror", None) or str(error)) from error
    finally:
        database.remove(draft)
    return (
        f"{path} was brought from schema {found} to {database.SCHEMA_VERSION}; "
        f"the old one is kept as {kept}"
    )


def upgrade(path: Path, draft: Path, found: int) -> None:
    """Write what a database of the schema `found` holds into a new one of this schema.

    Raises:
        StoreError: the old one is damaged, or there is no room.
    """
    needed, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    if needed > free:
        raise errors.DatabaseFullError(f"a copy takes {needed:,} bytes, {free:,} are free")
    with database.drafted(draft) as connection:
        connection.begin()
        place = database.attached(path)
        connection.execute(f"ATTACH '{place}' AS old (READ_ONLY)")
        for table in table_names():
            _take_over(connection, table)
        if found < _SORTED_SINCE:
            connection.execute(_COUNT_UNSORTED)
        connection.commit()
        connection.execute("DETACH old")


def _take_over(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Copy a table's rows, in their order; a column that the old one lacks has its default."""
    rows = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = 'old' AND table_name = ?",
        [table],
    ).fetchall()
    shared = [name for (name,) in rows if name in columns_of(table)]
    if table != "meta" and shared:
        listed = ", ".join(shared)
        connection.execute(
            f"INSERT INTO {table} ({listed}) SELECT {listed} FROM old.{table}"  # noqa: S608
        )


def _keep(path: Path, kept: Path) -> None:
    """Give a file another name beside its own, which the next one takes over."""
    kept.unlink(missing_ok=True)
    try:
        os.link(path, kept)
    except OSError:  # a file system without such links
        shutil.copyfile(path, kept)
