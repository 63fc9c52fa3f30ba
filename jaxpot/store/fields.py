"""Values of a journal's records: what fits a column of the database, and what does not.

What fits here fits the column's type in schema.sql, so that no row of a batch can make the
database refuse the batch, and no reader meets a number that its arithmetic cannot take. The
functions raise `ValueError` with what is wrong; the reader of a line then skips the line and says
so, and a writer refuses to write it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Any

Record = Mapping[str, Any]

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
LAST_ITERATION = INT32_MAX - 1
"""The highest iteration: the number of iterations up to it fits the same type."""

MAX_DEPTH = 100
"""How deep tables and lists may be nested; readers take some calls for each level."""

_LAST_TIME = 253_402_300_799.0  # the last second of the year 9999
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MOST = {"INTEGER": INT32_MAX, "BIGINT": INT64_MAX}


def fit(name: str, value: Any, column: str, kind: str) -> Any:
    """Give a field's value as its column takes it.

    Args:
        name: The field's, for the error.
        value: The value; not None.
        column: The column's name.
        kind: The column's type, as schema.sql has it.

    Raises:
        ValueError: It does not fit.
    """
    match kind:
        case "INTEGER" | "BIGINT":
            return whole(name, value, LAST_ITERATION if column == "iter" else _MOST[kind])
        case "VARCHAR":
            return _text(name, value)
        case "DOUBLE":
            return number(value)
        case "BOOLEAN":
            if not isinstance(value, bool):
                raise ValueError(f"{name} is not a boolean")
            return value
        case "BIGINT[]":
            if not isinstance(value, list | tuple):
                raise ValueError(f"{name} are not a list")
            return [whole(f"one of {name}", item, INT64_MAX) for item in value]
        case "JSON":
            _check_nested(value)
            return value
        case _:
            raise TypeError(f"no journal has values of the type {kind}")


def whole(name: str, value: object, most: int) -> int:
    """Give a whole number from 0 to `most`."""
    # NumPy's, which a writer may have, are no `int`.
    if (
        not isinstance(value, int | Integral)
        or isinstance(value, bool)
        or not 0 <= int(value) <= most
    ):
        raise ValueError(f"{name} is not a whole number from 0 to {most}")
    return int(value)


def number(value: object) -> float:
    """Give a number as a float; a journal spells NaN and infinities as strings."""
    if isinstance(value, int | float | Real):
        try:
            return float(value)
        except OverflowError:
            raise ValueError("a number is too large") from None
    if isinstance(value, str) and value in _NUMBERS:
        return _NUMBERS[value]
    raise ValueError(f"{str(value)[:40]!r} is not a number")


def micros(record: Record) -> int:
    """Give the record's time in microseconds since 1970."""
    value = record.get("time")
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("no time")
    if not 0 <= value <= _LAST_TIME:
        raise ValueError("no time from 1970 to 9999")
    return round(value * 1e6)


def mapping(record: Record, name: str) -> Mapping[str, Any]:
    """Give a table of the record."""
    value = record.get(name)
    if not isinstance(value, Mapping):
        raise ValueError(f"no {name}")
    return value


def dump(value: object) -> str:
    """Give a value as JSON text."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def flatten(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted path and the text of every leaf of a spec; a list of tables by index."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flatten(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from flatten(item, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value
    elif value is not None:
        yield path, dump(value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a string")
    value.encode()  # a lone surrogate is no text; UnicodeEncodeError is a ValueError
    return value


def _check_nested(value: object, depth: int = 0) -> None:
    """Hold JSON to what other readers take, too: a bound on its depth, texts, no NaN.

    Raises:
        ValueError: It is beyond that.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    match value:
        case str():
            value.encode()
        case float():
            if not math.isfinite(value):
                raise ValueError(f"Out of range float: {value}")
        case Mapping():
            for key, item in value.items():
                _check_nested(key, depth + 1)
                _check_nested(item, depth + 1)
        case list() | tuple():
            for item in value:
                _check_nested(item, depth + 1)
        case _:
            pass
