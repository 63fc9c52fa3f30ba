"""Queries that have names: those of `jaxpot/store/queries`, and the user's own.

The comment that a query begins with describes it: a line, and a line for each parameter.

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
    """A parameter as a query's header declares it; `default` is written as `-p` has it."""

    name: str
    default: str | None
    summary: str


class Query(NamedTuple):
    """A query, and what its header says about it."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    sql: str
    source: str

    def filled(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Give the parameters' values: those that are given, and else the defaults."""
        defaults = {
            parameter.name: read_value(parameter.name, parameter.default)
            for parameter in self.parameters
            if parameter.default is not None
        }
        return {**defaults, **given}


def parse_query(sql: str, *, name: str = "", source: str = "") -> Query:
    """Read the header of a query; a query without one is one without defaults."""
    lines = [line.removeprefix("--").strip() for line in _header(sql)]
    declared = (_PARAMETER.fullmatch(line) for line in lines)
    parameters = tuple(Parameter(*found.groups()) for found in declared if found)
    summary = lines[0] if lines and not lines[0].startswith("$") else ""
    return Query(name, summary, parameters, sql, source)


def named_queries(folder: Path | None = None) -> dict[str, Query]:
    """Give every query that has a name, by name; the user's own count before those shipped.

    Args:
        folder: The user's own; `queries` in the current folder by default.

    Raises:
        UserError: one of the user's own cannot be read.
    """
    shipped = resources.files("jaxpot.store").joinpath("queries")
    found = dict(_read(file, "jaxpot") for file in shipped.iterdir() if file.name.endswith(".sql"))
    own = Path(OWN_FOLDER) if folder is None else folder
    found.update(_read(file, str(file)) for file in sorted(own.glob("*.sql")))
    return dict(sorted(found.items()))


def find_query(text: str, folder: Path | None = None) -> Query:
    """Give the query that a text is, or that it names when it is a single word.

    Raises:
        UserError: it is a word that names no query.
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
    """Take apart `NAME=VALUE`, the last one of a name counting.

    Raises:
        UserError: one has no name, or no `=`.
    """
    found: dict[str, str] = {}
    for assignment in assignments:
        parts = _ASSIGNED.fullmatch(assignment)
        if parts is None:
            raise UserError(f"-p {assignment}: a parameter is given as NAME=VALUE")
        found[parts[1]] = parts[2]
    return found


def read_value(name: str, text: str) -> Any:
    """Give what a user means by the text of a parameter's value.

    `null` is NULL, what TOML takes for a scalar or a list of them is that, anything else is the
    text itself; what is a word for a run stays one, even if it looks like a number.
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
    """Replace words for runs by uids.

    The parameter `run`, and a text that begins with `run:`, is a word for one run; the parameter
    `runs`, and a text that begins with `runs:`, is a list of words, or words parted by commas, and
    becomes a list of uids in which a name or a tag stands for every run that has it.

    Raises:
        UserError: a word finds no run, or is the start of several.
    """
    return {name: _resolved(name, value, connection) for name, value in parameters.items()}


def uids_of(word: str, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Give the uids of every run that a word means, the newest first, at least one.

    Raises:
        UserError: it finds no run, or is the start of several.
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
