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
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxpot.errors import UserError
from jaxpot.store.parameters import read_value

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

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
