"""`Store`: query the runs in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxpot.journal import Header, JournalFile, read_header
from jaxpot.store import copying, database, errors
from jaxpot.store.describe import SHOWN, RunRow, describe
from jaxpot.store.locking import FileLock
from jaxpot.store.runs import RunRef, find, is_running, journals, positions_in, stale

if TYPE_CHECKING:
    import duckdb

    from jaxpot.store.ingest import IngestReport

# A reading command does not wait long for another program's database.
READ_WAIT_SECONDS = 1.0
_LOCK_WAIT_SECONDS = 10.0

_RUNS = """
SELECT
    uid, name, status, iterations, attempts, seed, spec_digest, training_digest,
    strftime(started, '%Y-%m-%dT%H:%M:%S.%fZ'), strftime(ended, '%Y-%m-%dT%H:%M:%S.%fZ')
FROM runs
"""
_TAGS = "SELECT uid, tag FROM tags JOIN runs USING (run_id) ORDER BY tag"


class Store:
    """The runs in one folder: their journals, and the database made from them.

    Each query first ingests the journals, and opens the database for that query only. If the ingest
    is not possible, `notify` gets the reason, and the query is answered from older data.
    """

    def __init__(
        self,
        runs_dir: str | Path,
        *,
        notify: Callable[[str], None] | None = None,
        wait: float = READ_WAIT_SECONDS,
    ) -> None:
        """Use a folder; nothing is opened or created yet.

        Args:
            runs_dir: The folder of the runs.
            notify: Called with each line that a user should read.
            wait: Seconds to wait for a database that another program has open.
        """
        self.runs_dir = Path(runs_dir)
        self._notify = notify
        self._wait = wait

    @property
    def path(self) -> Path:
        """The database file."""
        return self.runs_dir / database.DATABASE_NAME

    def ingest(self, *, wait: float | None = None) -> IngestReport:
        """Update the database from the journals; see `jaxpot.store.ingest.ingest`."""
        from jaxpot.store.ingest import ingest

        return ingest(self.runs_dir, wait=self._wait if wait is None else wait)

    def rebuild(self, *, wait: float = _LOCK_WAIT_SECONDS) -> IngestReport:
        """Rebuild the database from the journals; see `jaxpot.store.ingest.rebuild`."""
        from jaxpot.store.ingest import rebuild

        return rebuild(self.runs_dir, wait=wait)

    def find(self, selector: str) -> RunRef:
        """Find a run by uid, name, unique prefix of a uid, or `latest`, from the journals.

        Raises:
            UserError: No run matches, or several do.
        """
        return find(self.runs_dir, selector)

    def runs(self) -> list[RunRow]:
        """List every run, newest first."""
        with self.reading() as connection:
            return self._rows(connection)

    def describe(self, selector: str) -> dict[str, Any]:
        """Return everything about one run; see `jaxpot.store.describe.describe`.

        Raises:
            UserError: No run matches `selector`, or several do.
        """
        ref = self.find(selector)
        with self.reading() as connection:
            row = next((row for row in self._rows(connection) if row.uid == ref.uid), None)
            if row is None:
                raise errors.StoreError(f"run {ref.uid} was removed just now")
            return describe(connection, row)

    def show(self, selector: str) -> dict[str, Any]:
        """Return the fields of one run that `jaxpot show --json` prints."""
        found = self.describe(selector)
        return {name: found[name] for name in SHOWN}

    def sql(self, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run a query, read-only and without access to files; return its columns and rows.

        Raises:
            UserError: The query is wrong.
        """
        from jaxpot.store.query import run_query

        with self.reading() as connection:
            result = run_query(connection, query, path=self.path)
            return result.columns, result.all()

    @contextmanager
    def reading(
        self, *, allow_files: bool = False, output: Path | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the database for one query, read-only, after an ingest.

        If there are no runs, this opens an empty database in memory.

        Args:
            allow_files: Allow queries to access files and the network.
            output: The one file that a query may write to.

        Raises:
            StoreError: The database is damaged, of another version, or open in a program that does
                not stop writing.
        """
        reach = allow_files or output is not None
        with ExitStack() as stack, errors.guarded(self.path):
            connection = self._connection(stack, reach)
            if output is not None and not allow_files:
                place = str(output).replace("'", "''")
                connection.execute(f"SET allowed_paths = ['{place}']")
                connection.execute("SET enable_external_access = false")
                connection.execute("SET lock_configuration = true")
            yield connection

    def _connection(self, stack: ExitStack, reach: bool) -> duckdb.DuckDBPyConnection:
        if not self.path.exists() and not any(True for _ in journals(self.runs_dir)):
            connection = database.in_memory(allow_files=reach)
            stack.callback(connection.close)
            return connection
        if self.path.exists():
            try:
                with ExitStack() as first:
                    connection = self._opened(first, self.path, reach)
                    positions = positions_in(connection)
                    if not any(True for _ in stale(self.runs_dir, positions)):
                        stack.push(first.pop_all())
                        return connection
            except (errors.DatabaseHeldError, errors.OldSchemaError):
                pass  # the ingest waits and names the holder, or rebuilds it
        report = self.ingest()
        for line in report.notices():
            self._tell(line)
        try:
            return self._opened(stack, self.path, reach)
        except (errors.DatabaseHeldError, errors.OldSchemaError) as refused:
            self._tell(f"answering from a copy of {self.path}")
            try:
                return self._copied(stack, reach)
            except errors.StoreError:
                raise refused from None

    def _copied(self, stack: ExitStack, reach: bool) -> duckdb.DuckDBPyConnection:
        copy = stack.enter_context(copying.copied(self.path))
        try:
            return self._opened(stack, copy, reach)
        except errors.OldSchemaError:
            from jaxpot.store.ingest import IngestReport, remake

            remake(copy, self.runs_dir, IngestReport(), wait=0.0)
            return self._opened(stack, copy, reach)

    def _opened(self, stack: ExitStack, path: Path, reach: bool) -> duckdb.DuckDBPyConnection:
        lock = stack.enter_context(FileLock(self.runs_dir / database.LOCK_NAME))
        try:
            if not lock.acquire(shared=True, wait=self._wait):
                self._tell(f"{lock.path} is kept by {lock.holder()}: waiting for it")
                if not lock.acquire(shared=True, wait=_LOCK_WAIT_SECONDS):
                    kept = f"{lock.path} is kept by {lock.holder()}; try again"
                    raise errors.LockKeptError(kept)
        except OSError:
            self._tell(f"{lock.path} cannot be read: reading without it")
        connection = database.connect(path, read_only=True, allow_files=reach)
        stack.callback(connection.close)
        return connection

    def _rows(self, connection: duckdb.DuckDBPyConnection) -> list[RunRow]:
        tags: dict[str, list[str]] = {}
        for uid, tag in connection.execute(_TAGS).fetchall():
            tags.setdefault(uid, []).append(tag)
        known = positions_in(connection)
        files = {file.uid: file for file in journals(self.runs_dir)}
        lag = {uid: file.size - known[uid].position for uid, file in files.items() if uid in known}
        rows = [
            RunRow(*row, lag_bytes=max(0, lag.get(row[0], 0)), tags=tuple(tags.get(row[0], ())))
            for row in connection.execute(_RUNS).fetchall()
        ]
        rows += [_unread(file) for uid, file in files.items() if uid not in known]
        return sorted(rows, key=lambda row: (row.started or "", row.uid), reverse=True)

    def _tell(self, line: str) -> None:
        if self._notify is not None:
            self._notify(line)


def _unread(file: JournalFile) -> RunRow:
    """Return the row of a run that is not in the database yet, from its journal's first line."""
    header = read_header(file.path)
    known = header or Header(journal_version=0, uid=file.uid)
    return RunRow(
        uid=file.uid,
        name=known.name or file.uid,
        status="running" if is_running(file.path.parent) else "interrupted",
        iterations=0,
        attempts=0,
        seed=known.seed,
        spec_digest=known.spec_digest,
        training_digest=known.training_digest,
        started=None if header is None else _iso(header.time),
        ended=None,
        lag_bytes=file.size,
        tags=tuple(known.tags or ()),
    )


def _iso(seconds: float) -> str:
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
