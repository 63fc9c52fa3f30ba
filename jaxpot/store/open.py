"""`jaxpot.open_store`: the recorded runs as a notebook asks them."""

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
"""Gives a query's text, and its parameters as they are bound, once the database is open."""

_RUNS = "SELECT * EXCLUDE (run_id, spec_toml) FROM runs ORDER BY started DESC, uid DESC"
_PARAMS = "PIVOT spec_params ON path USING any_value(value) GROUP BY uid, run ORDER BY uid"
_SERIES = "FROM series($run, $key, samples := $samples)"
_SAMPLES = "iteration/num_samples"


def open_store(path: str | Path = "runs") -> Records:
    """Give what a notebook asks the recorded runs with; nothing is opened until it asks.

    Args:
        path: The folder of the runs, or a file that `jaxpot snapshot` wrote.

    Raises:
        UserError: there is neither.
    """
    place = expanded(path)
    return Records(Store(place, notify=_warn) if place.is_dir() else Snapshot(place))


class Snapshot(Store):
    """A database that stands for itself, without journals."""

    def __init__(self, path: Path) -> None:
        """Name a database file.

        Raises:
            UserError: there is no such file.
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
    """Questions to recorded runs. Between two of them no lock is held and no file is open."""

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
        """Open the database for one question; see `Store.reading`."""
        with self.store.reading(allow_files=allow_files, output=output) as connection:
            yield connection

    def sql(self, query: str, **parameters: Any) -> Answer:
        """Ask a query, or one that has a name, and give its answer.

        Args:
            query: DuckDB's SQL, or a single word: the name of a query.
            **parameters: Values of the query's `$name`. `run` is any word for a run, `runs` a list
                of such words, and so is a text that begins with `run:` or `runs:`.

        Raises:
            UserError: the query is wrong, a parameter is missing or one too many.
        """
        return self._answer(lambda connection: prepared(connection, query, parameters))

    def runs(self) -> Answer:
        """Give every run with what describes it, newest first."""
        return self.sql(_RUNS)

    def series(self, run: str, key: str, *, samples: str = _SAMPLES) -> Answer:
        """Give a metric of a run by iteration: `iter`, `value`, `seconds` and `samples` so far.

        Args:
            run: Any word for a run.
            key: The metric.
            samples: The metric that counts an iteration's samples.
        """
        return self.sql(_SERIES, run=run, key=key, samples=samples)

    def wide(
        self, runs: str | Sequence[str] | None = None, keys: str | Sequence[str] = ()
    ) -> Answer:
        """Give a row an iteration with a column for each key.

        Args:
            runs: Words for runs, each of which means every run that has it; None for all runs.
            keys: Patterns of keys, with `*` and `?`; empty for every key.
        """
        given = {} if runs is None else {"runs": [runs] if isinstance(runs, str) else list(runs)}
        likes = [keys] if isinstance(keys, str) else list(keys)
        return self._answer(lambda connection: wide_query(connection, given, likes))

    def params(self) -> Answer:
        """Give every run's spec with a column for each parameter."""
        return self.sql(_PARAMS)

    def find(self, run: str) -> str:
        """Give the uid of the run that a word means: of several that share it, the newest.

        Raises:
            UserError: it finds no run, or is the start of several.
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
    """Give a query's text and its parameters' values as they are bound.

    Raises:
        UserError: the query is a word that names none, or a word for a run finds none.
    """
    found = find_query(query)
    return found.sql, resolve_runs(found.filled(given), connection)


def wide_query(
    connection: duckdb.DuckDBPyConnection, given: Mapping[str, Any], keys: Iterable[str]
) -> tuple[str, dict[str, Any]]:
    """Give the query for one column a key, of the runs that the parameters `run` and `runs` name.

    Raises:
        UserError: there are other parameters, or no key is like `keys`.
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

# What a row is of; a payload has the key `iter` too.
_ROW = ("uid", "run", "iter")


def _pivot(
    connection: duckdb.DuckDBPyConnection, runs: Sequence[str] | None, keys: Sequence[str]
) -> str:
    """Give the query for a row an iteration and a column a key; it has the parameter `runs`.

    Args:
        connection: The database, which is asked for the keys there are.
        runs: The runs' uids; None for every run.
        keys: Patterns of keys, with `*` and `?`; empty for every key.

    Raises:
        UserError: no key is like any of the patterns.
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
