"""Named queries, shipped in `jaxpot/store/queries` or written by the user, and query parameters.

The comment at the start of a query describes it: one line, then one line per parameter.

    -- A metric of a run, by iteration.
    --
    -- $run = latest: the run
    -- $key: the metric
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxpot.errors import UserError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import duckdb

OWN_FOLDER = "queries"

_WORD = re.compile(r"\s*([A-Za-z_][\w-]*)\s*;?\s*")
_PARAMETER = re.compile(r"\$(\w+)(?: = (.*?))?: (.*)")


class Parameter(NamedTuple):
    """A parameter declared in a query's header; `default` is text, as given with `-p`."""

    name: str
    default: str | None
    summary: str


class Query(NamedTuple):
    """A query and the contents of its header."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    sql: str
    source: str

    def filled(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters' values: the given ones, and defaults for the rest."""
        defaults = {
            parameter.name: read_value(parameter.name, parameter.default)
            for parameter in self.parameters
            if parameter.default is not None
        }
        return {**defaults, **given}


def parse_query(sql: str, *, name: str = "", source: str = "") -> Query:
    """Read the header of a query; without a header, parameters have no defaults."""
    lines = [line.removeprefix("--").strip() for line in _header(sql)]
    declared = (_PARAMETER.fullmatch(line) for line in lines)
    parameters = tuple(Parameter(*found.groups()) for found in declared if found)
    summary = lines[0] if lines and not lines[0].startswith("$") else ""
    return Query(name, summary, parameters, sql, source)


def named_queries(folder: Path | None = None) -> dict[str, Query]:
    """Return all named queries; the user's own replace shipped ones of the same name.

    Args:
        folder: The folder of the user's queries; by default `queries` in the current folder.

    Raises:
        UserError: one of the user's own cannot be read.
    """
    shipped = resources.files("jaxpot.store").joinpath("queries")
    found = dict(_read(file, "jaxpot") for file in shipped.iterdir() if file.name.endswith(".sql"))
    own = Path(OWN_FOLDER) if folder is None else folder
    found.update(_read(file, str(file)) for file in sorted(own.glob("*.sql")))
    return dict(sorted(found.items()))


def find_query(text: str, folder: Path | None = None) -> Query:
    """Return the query with this text, or, for a single word, the query with this name.

    Raises:
        UserError: No query has this name.
    """
    word = _WORD.fullmatch(text)
    if word is None:
        return parse_query(text)
    known = named_queries(folder)
    if word[1] in known:
        return known[word[1]]
    near = difflib.get_close_matches(word[1], known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    raise UserError(f"no query is called {word[1]!r}; {hint}")


def _header(sql: str) -> Iterator[str]:
    for line in sql.lstrip().splitlines():
        if not line.startswith("--"):
            return
        yield line


def _read(file: Traversable, source: str) -> tuple[str, Query]:
    name = file.name.removesuffix(".sql")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{source}: not UTF-8 text") from error
    except OSError as error:
        raise UserError(f"{source}: {error.strerror}") from error
    return name, parse_query(text, name=name, source=source)


_ASSIGNED = re.compile(r"\$?(\w+)=(.*)", re.DOTALL)
_SCALARS = (bool, int, float, str, date, datetime, time)
_RUN = "run:"
_RUNS = "runs:"
_SHOWN_CANDIDATES = 5


def parse_parameters(assignments: Sequence[str]) -> dict[str, str]:
    """Parse `NAME=VALUE` assignments; the last one for a name wins.

    Raises:
        UserError: An assignment has no name or no `=`.
    """
    found: dict[str, str] = {}
    for assignment in assignments:
        parts = _ASSIGNED.fullmatch(assignment)
        if parts is None:
            raise UserError(f"-p {assignment}: a parameter is given as NAME=VALUE")
        found[parts[1]] = parts[2]
    return found


def read_value(name: str, text: str) -> Any:
    """Parse the text of a parameter's value.

    `null` is NULL, and a TOML scalar or list of scalars has its TOML value. Anything else is text,
    and so is a word that selects a run, even if it looks like a number.
    """
    if text == "null":
        return None
    if name in ("run", "runs") or text.startswith((_RUN, _RUNS)):
        return text
    import tomli

    try:
        document = tomli.loads(f"value = {text}")
    except tomli.TOMLDecodeError:
        return text
    value = document["value"]
    is_plain = isinstance(value, _SCALARS) or (
        isinstance(value, list) and all(isinstance(item, _SCALARS) for item in value)
    )
    return value if is_plain and len(document) == 1 else text


def resolve_runs(
    parameters: Mapping[str, Any], connection: duckdb.DuckDBPyConnection
) -> dict[str, Any]:
    """Replace words that select runs by uids.

    The parameter `run`, and text that starts with `run:`, selects one run. The parameter `runs`,
    and text that starts with `runs:`, is a list of words or words separated by commas; it becomes a
    list of uids, in which a name or a tag selects every run that has it.

    Raises:
        UserError: A word selects no run, or is the start of several uids.
    """
    return {name: _resolved(name, value, connection) for name, value in parameters.items()}


def uids_of(word: str, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the uids of all runs that a word selects, newest first, at least one.

    Raises:
        UserError: The word selects no run, or is the start of several uids.
    """
    rows = connection.execute("SELECT uid, found_by FROM find_runs($word)", {"word": word})
    found = rows.fetchall()
    uids = [uid for uid, _ in found]
    if found and (len(found) == 1 or found[0][1] != "start"):
        return uids
    if found:
        raise UserError(f"{word!r} is the start of {len(uids)} runs: {_listed(uids)}")
    newest = connection.execute("SELECT uid FROM runs ORDER BY started DESC, uid DESC").fetchall()
    if not newest:
        raise UserError("there is no run yet")
    there = _listed([uid for (uid,) in newest])
    raise UserError(f"no run is called {word!r}, or tagged so; the newest are {there}")


def _resolved(name: str, value: Any, connection: duckdb.DuckDBPyConnection) -> Any:
    if name == "runs" and isinstance(value, list | tuple):
        return _every(map(str, value), connection)
    if not isinstance(value, str):
        return value
    if name == "runs" or value.startswith(_RUNS):
        return _every(value.removeprefix(_RUNS).split(","), connection)
    if name == "run" or value.startswith(_RUN):
        return uids_of(value.removeprefix(_RUN), connection)[0]
    return value


def _every(words: Iterable[str], connection: duckdb.DuckDBPyConnection) -> list[str]:
    return list(dict.fromkeys(uid for word in words for uid in uids_of(word.strip(), connection)))


def _listed(uids: Sequence[str]) -> str:
    shown = ", ".join(uids[:_SHOWN_CANDIDATES])
    return shown + (", ..." if len(uids) > _SHOWN_CANDIDATES else "")
