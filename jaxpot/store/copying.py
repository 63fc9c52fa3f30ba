"""Copy a database that another program may have open."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jaxpot.store import database, errors
from jaxpot.store.tables import stored_of, table_names

_COPIES = 5
_PAUSE_SECONDS = 0.05


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """Make a temporary, consistent copy of a database that another program has open.

    Raises:
        DatabaseHeldError: That program does not stop writing.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="jaxpot-") as folder:
        copy = Path(folder) / path.name
        copy_to(path, copy)
        yield copy


def copy_to(path: Path, copy: Path) -> None:
    """Make a consistent copy of a database that another program may have open.

    The copy includes the write-ahead log, so it holds what was committed, as after a crash. If the
    program writes in the meantime, the copy is made again.

    Raises:
        DatabaseHeldError: The program does not stop writing.
        DatabaseFullError: There is no room for the copy.
    """
    import subprocess

    for attempt in range(_COPIES):
        before = fingerprint(path)
        database.remove(copy)
        for source, target in ((path, copy), (database.wal(path), database.wal(copy))):
            if source.exists():
                # Not opened by this process: closing a file drops every POSIX lock that the
                # process has on it, DuckDB's too should the holder be this process.
                command = ["cp", str(source), str(target)]
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                if target.exists():  # of a file that is read-only, the copy is one's own to write
                    target.chmod(target.stat().st_mode | stat.S_IRUSR | stat.S_IWUSR)
                if done.returncode and fingerprint(path) == before:
                    raise errors.DatabaseFullError(
                        f"{path} cannot be copied: {done.stderr.strip()}"
                    )
        if copy.exists() and fingerprint(path) == before:
            return
        time.sleep(_PAUSE_SECONDS * (attempt + 1))
    raise errors.DatabaseHeldError(path, None, "")


def rewrite(source: Path, draft: Path, *, run_ids: Sequence[int]) -> None:
    """Write the rows of some runs, in their order, into a new database.

    Raises:
        StoreError: The source is damaged or of another version, or there is no room.
    """
    with database.drafted(draft) as connection:
        place = database.attached(source)
        connection.execute(f"ATTACH '{place}' AS source (READ_ONLY)")
        connection.begin()
        for table in table_names():
            columns = stored_of(table)
            if "run_id" in columns:
                listed = ", ".join(columns)
                connection.execute(
                    f"INSERT INTO {table} ({listed}) SELECT {listed} "  # noqa: S608 (our names)
                    f"FROM source.{table} WHERE run_id IN (SELECT unnest($ids::BIGINT[]))",
                    {"ids": list(run_ids)},
                )
        connection.commit()
        connection.execute("DETACH source")


def fingerprint(path: Path) -> tuple[tuple[int, int, int] | None, ...]:
    """Return a value that changes whenever a database or its log is written."""
    found: list[tuple[int, int, int] | None] = []
    for file in (path, database.wal(path)):
        try:
            status = file.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)
