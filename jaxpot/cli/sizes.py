"""Bytes and times as people write them."""

from __future__ import annotations

import re

from jaxpot.errors import UserError

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def size(count: int) -> str:
    """Returns a number of bytes in the largest unit that it fills."""
    value = float(count)
    for unit in _UNITS[:-1]:
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} {_UNITS[-1]}"


def seconds(text: str) -> float:
    """Reads a time span such as `30d`, `12h` or `1.5w`.

    Raises:
        UserError: it is none.
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhdw])", text)
    if match is None:
        raise UserError(f"{text!r} is no time span; write a number and s, m, h, d or w, as in 30d")
    return float(match[1]) * _SECONDS[match[2]]
