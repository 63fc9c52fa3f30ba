"""Copies of a database that another program may hold, each as it was at one moment."""

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
    """Give a copy of a database that another program holds, as it was at one moment.

    Raises:
        DatabaseHeldError: the holder kept on writing.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="jaxpot-") as folder:
        copy = Path(folder) / path.name
        copy_to(path, copy)
        yield copy


def copy_to(path: Path, copy: Path) -> None:
    """Copy a database that another program may hold, as it was at one moment.

    What was committed and what the holder was in the middle of part ways as after a crash: the
    write-ahead log decides. A holder that writes while the copy is made makes it be made again.

    Raises:
        DatabaseHeldError: it kept on writing.
        DatabaseFullError: there was no room for the copy.
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


def rewrite(source: Path, draft: Path, *, run_ids: Sequence[int] | None = None) -> None:
    """Write the rows of a database, of some runs or of all, into a new one, in their order.

    Raises:
        StoreError: the source is damaged or another version's, or there is no room.
    """
    some = "" if run_ids is None else "WHERE run_id IN (SELECT unnest($ids::BIGINT[]))"
    parameters = None if run_ids is None else {"ids": list(run_ids)}
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
                    f"FROM source.{table} {some}",
                    parameters,
                )
        connection.commit()
        connection.execute("DETACH source")


def fingerprint(path: Path) -> tuple[tuple[int, int, int] | None, ...]:
    """Give what changes whenever a database or its log is written."""
    found: list[tuple[int, int, int] | None] = []
    for file in (path, database.wal(path)):
        try:
            status = file.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)
