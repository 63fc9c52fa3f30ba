"""What users write for a query's parameters, and their words for runs in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from jaxpot.errors import UserError

if TYPE_CHECKING:
    import duckdb

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
