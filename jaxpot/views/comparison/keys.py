"""Which keys a comparison shows, and which way each of them is better."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Sequence

from jaxpot.errors import UserError

_UP = frozenset({"win_rate", "won", "avg_reward", "reward", "elo", "sps"})
_DOWN = frozenset({"lose_rate", "lost", "exploitability", "nash_conv"})
_EVALUATION = "eval_"
_GLOB = frozenset("*?[")
_LISTED = 6


def sense_of(key: str) -> str | None:
    """Give `up` where more is better, `down` where less is, None where neither is known."""
    last = key.rpartition("/")[2]
    if last in _UP:
        return "up"
    return "down" if last in _DOWN or last.endswith("_loss") else None


def default_keys(keys: Iterable[str]) -> list[str]:
    """Give the keys that tell how good runs are: evaluations, losses, and the speed.

    Evaluations split by seat are left out, and so are rates that are 1 less the others. Where no
    key is such a one, as in the log of another program, every key is given.
    """
    names = list(keys)
    evaluations = [
        key
        for key in names
        if key.startswith(_EVALUATION)
        and key.count("/") == 1
        and not key.endswith(("/draw_rate", "/done_rate", "/drawn"))
    ]
    losses = [key for key in names if "/" not in key and key.endswith("_loss")]
    found = [*evaluations, *losses, *(key for key in names if key == "iteration/sps")]
    return found or names


def chosen_keys(wanted: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Give the keys that names and globs stand for, in the order of `wanted`, each once.

    Raises:
        UserError: one of them stands for none; the nearest are named.
    """
    found: dict[str, None] = {}
    for pattern in wanted:
        if pattern in keys:
            matches = [pattern]
        elif _GLOB & set(pattern):
            matches = [key for key in keys if fnmatch.fnmatchcase(key, pattern)]
        else:
            matches = []
        if not matches:
            raise UserError(_unknown(pattern, keys))
        found |= dict.fromkeys(matches)
    return list(found)


def _unknown(pattern: str, keys: Sequence[str]) -> str:
    if not keys:
        return f"no key {pattern!r}: nothing is recorded yet"
    near = difflib.get_close_matches(pattern, keys, n=_LISTED // 2, cutoff=0.6)
    inside = [key for key in keys if pattern.strip("*") in key and key not in near]
    shown = [*near, *inside][:_LISTED] if pattern.strip("*") else []
    if shown:
        return f"no key {pattern!r}; did you mean {' or '.join(map(repr, shown))}?"
    more = ", ..." if len(keys) > _LISTED else ""
    return f"no key {pattern!r}; there are {', '.join(keys[:_LISTED])}{more}"
