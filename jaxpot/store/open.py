"""Query recorded runs from Python: `jaxpot.open_store`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxpot.errors import UserError
from jaxpot.paths import expanded
from jaxpot.store.canned import find_query, resolve_runs
from jaxpot.store.query import quoted
from jaxpot.store.reader import Store

if TYPE_CHECKING:
    from contextlib import ExitStack

    import duckdb

    from jaxpot.store.answer import Answer

Question = Callable[["duckdb.DuckDBPyConnection"], tuple[str, dict[str, Any]]]
"""Return a query's text, and its parameters as they are bound, once the database is open."""

_RUNS = "SELECT * EXCLUDE (run_id, spec_toml) FROM runs ORDER BY started DESC, uid DESC"
_PARAMS = "PIVOT spec_params ON path USING any_value(value) GROUP BY uid, run ORDER BY uid"
_SERIES = "FROM series($run, $key, samples := $samples)"
_SAMPLES = "iteration/num_samples"


def open_store(path: str | Path = "runs") -> Records:
    """Return an interface to recorded runs; files are opened for each query only.

    Args:
        path: The folder of the runs, or a file that `jaxpot snapshot` wrote.

    Raises:
        UserError: There is neither.
    """
    place = expanded(path)
    return Records(Store(place, notify=_warn) if place.is_dir() else Snapshot(place))


class Snapshot(Store):
    """A database file on its own, without journals."""

    def __init__(self, path: Path) -> None:
        """Use a database file.

        Raises:
            UserError: There is no such file.
        """
        if not path.is_file():
            raise UserError(f"{path}: there is no such file or folder")
        super().__init__(path.parent)
        self._file = path

    @property
    def path(self) -> Path:
        """The database file."""
        return self._file

    def _connection(self, stack: ExitStack, reach: bool) -> duckdb.DuckDBPyConnection:
        from jaxpot.store import database, errors

        try:
            connection = database.connect(self._file, read_only=True, allow_files=reach)
        except errors.SchemaMismatchError as other:
            raise errors.StoreError(
                f"{self._file} has schema {other.found}, this jaxpot reads "
                f"{database.SCHEMA_VERSION}; write it again with this jaxpot's `jaxpot snapshot`"
            ) from other
        stack.callback(connection.close)
        return connection


class Records:
    """Queries over recorded runs. Between queries, no lock is held and no file is open."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def path(self) -> Path:
        """The database file."""
        return self.store.path

    @contextmanager
    def reading(
        self, *, allow_files: bool = False, output: Path | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the database for one query; see `Store.reading`."""
        with self.store.reading(allow_files=allow_files, output=output) as connection:
            yield connection

    def sql(self, query: str, **parameters: Any) -> Answer:
        """Check a query and return its answer.

        Args:
            query: SQL for DuckDB, or the name of a named query.
            **parameters: Values of the query's `$name` parameters. `run` takes a word that selects
                a run, `runs` a list of such words; so does text starting with `run:` or `runs:`.

        Raises:
            UserError: The query is wrong, or a parameter is missing or unknown.
        """
        return self._answer(lambda connection: prepared(connection, query, parameters))

    def runs(self) -> Answer:
        """Return every run with its description, newest first."""
        return self.sql(_RUNS)

    def series(self, run: str, key: str, *, samples: str = _SAMPLES) -> Answer:
        """Return a metric of a run by iteration: `iter`, `value`, `seconds` and `samples` so far.

        Args:
            run: A word that selects a run.
            key: The metric.
            samples: The metric with the number of samples of an iteration.
        """
        return self.sql(_SERIES, run=run, key=key, samples=samples)

    def wide(
        self, runs: str | Sequence[str] | None = None, keys: str | Sequence[str] = ()
    ) -> Answer:
        """Return one row per iteration, with one column per key.

        Args:
            runs: Words that select runs; a name or tag selects every run that has it. None for all.
            keys: Patterns for keys, with `*` and `?`; empty for all keys.
        """
        given = {} if runs is None else {"runs": [runs] if isinstance(runs, str) else list(runs)}
        likes = [keys] if isinstance(keys, str) else list(keys)
        return self._answer(lambda connection: wide_query(connection, given, likes))

    def params(self) -> Answer:
        """Return every run's spec, with one column per parameter."""
        return self.sql(_PARAMS)

    def find(self, run: str) -> str:
        """Return the uid of the run that a word selects, the newest of several.

        Raises:
            UserError: The word selects no run, or is the start of several uids.
        """
        with self.reading() as connection:
            return resolve_runs({"run": run}, connection)["run"]

    def _answer(self, question: Question) -> Answer:
        from jaxpot.store.answer import Answer

        with self.reading() as connection:
            text, parameters = question(connection)
            return Answer(self.store, connection, text, parameters)


def _warn(line: str) -> None:
    import warnings

    warnings.warn(line, stacklevel=2)


def prepared(
    connection: duckdb.DuckDBPyConnection, query: str, given: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return a query's text and the values of its parameters.

    Raises:
        UserError: There is no query of that name, or a word selects no run.
    """
    found = find_query(query)
    return found.sql, resolve_runs(found.filled(given), connection)


def wide_query(
    connection: duckdb.DuckDBPyConnection, given: Mapping[str, Any], keys: Iterable[str]
) -> tuple[str, dict[str, Any]]:
    """Return the query for one column per key, over the runs in the parameters `run` and `runs`.

    Raises:
        UserError: There are other parameters, or no key matches `keys`.
    """
    unknown = [name for name in given if name not in ("run", "runs")]
    if unknown:
        raise UserError(f"parameters: there is no {unknown[0]}; those here are run, runs")
    named = resolve_runs(given, connection).values()
    uids = [uid for value in named for uid in ([value] if isinstance(value, str) else value or ())]
    chosen = uids if given else None
    text = _pivot(connection, chosen, list(keys))
    return text, {} if chosen is None else {"runs": chosen}


_KEYS = """
SELECT k.name FROM keys AS k JOIN runs AS r ON r.run_id = k.run_id
WHERE $runs IS NULL OR list_contains($runs, r.uid)
GROUP BY k.name ORDER BY min(k.key_id), k.name
"""

# The columns that identify a row; a payload has the key `iter` too.
_ROW = ("uid", "run", "iter")


def _pivot(
    connection: duckdb.DuckDBPyConnection, runs: Sequence[str] | None, keys: Sequence[str]
) -> str:
    """Return the query for one row per iteration and one column per key, with parameter `runs`.

    PIVOT needs its columns spelled out, so this cannot be a view or macro.

    Args:
        connection: The database, to look up the keys in.
        runs: The runs' uids; None for every run.
        keys: Patterns for keys, with `*` and `?`; empty for all keys.

    Raises:
        UserError: No key matches any of the patterns.
    """
    listed = connection.execute(_KEYS, {"runs": None if runs is None else list(runs)}).fetchall()
    every = [name for (name,) in listed if name not in _ROW]
    chosen = [key for key in every if not keys or any(fnmatchcase(key, like) for like in keys)]
    if not chosen:
        wanted = " or ".join(map(repr, keys))
        raise UserError(f"no key is like {wanted}" if keys else "there is no key")
    listing = ", ".join("'" + key.replace("'", "''") + "'" for key in chosen)
    columns = ", ".join(map(quoted, chosen))
    counted = "WHERE uid IN (SELECT unnest($runs::VARCHAR[]))" if runs is not None else ""
    return f"""SELECT uid, run, iter, {columns} FROM (
    PIVOT (FROM metric {counted}) ON key IN ({listing})
    USING any_value(value) GROUP BY uid, run, iter
) ORDER BY uid, iter"""  # noqa: S608
