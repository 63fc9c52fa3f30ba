"""Taking fields out of a journal's record: strict, for a damaged line must not pass as data.

Each function raises `ValueError` with what is wrong; the reader of the line then skips the line
and says so. What gets through here fits the column it is meant for, so that no row of a batch can
make the database refuse the batch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

Record = Mapping[str, Any]

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1

_LAST_TIME = 253_402_300_800.0  # the year 10000
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def integer(record: Record, name: str, *, most: int = INT32_MAX) -> int:
    """Give a whole number from 0 to `most`."""
    found = optional_integer(record, name, most=most)
    if found is None:
        raise ValueError(f"no {name}")
    return found


def optional_integer(record: Record, name: str, *, most: int = INT32_MAX) -> int | None:
    """Give a whole number from 0 to `most`, or None where there is none."""
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{name} is not a whole number from 0 to {most}")
    return value


def text(record: Record, name: str) -> str:
    """Give a string."""
    found = optional_text(record, name)
    if found is None:
        raise ValueError(f"no {name}")
    return found


def optional_text(record: Record, name: str) -> str | None:
    """Give a string, or None where there is none."""
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a string")
    value.encode()  # a lone surrogate is no text; UnicodeEncodeError is a ValueError
    return value


def optional_flag(record: Record, name: str) -> bool | None:
    """Give a boolean, or None where there is none."""
    value = record.get(name)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{name} is not a boolean")
    return value


def optional_number(record: Record, name: str) -> float | None:
    """Give a float, or None where there is none."""
    value = record.get(name)
    return None if value is None else number(value)


def number(value: object) -> float:
    """Give a number as a float; a journal spells NaN and infinities as strings."""
    if isinstance(value, int | float):
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
    if not isinstance(value, int | float) or not 0 <= value < _LAST_TIME:
        raise ValueError("no time")
    return round(value * 1e6)


def mapping(record: Record, name: str) -> Mapping[str, Any]:
    """Give a table of the record."""
    value = record.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"no {name}")
    return value


def optional_json(record: Record, name: str) -> str | None:
    """Give a part of the record as JSON text, or None where there is none."""
    value = record.get(name)
    return None if value is None else dump(value)


def dump(value: object) -> str:
    """Give a value as JSON text."""
    found = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    found.encode()
    return found


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
