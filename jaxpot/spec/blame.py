"""Faults on their way from a value up to the whole spec: placed, bounded, and what they leave."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from jaxpot.spec.faults import Fault, Path, nearest
from jaxpot.spec.scalars import Rejected
from jaxpot.spec.wording import listed

MAX_FAULTS = 100
"""Most faults that one section reports; more of them say nothing new."""


def limited(faults: list[Fault]) -> list[Fault]:
    """Keeps at most `MAX_FAULTS` faults of each section."""
    reported: Counter[Path] = Counter()
    kept = []
    for fault in faults:
        reported[fault.path[:1]] += 1
        if reported[fault.path[:1]] <= MAX_FAULTS:
            kept.append(fault)
    return kept


def accept(value: Any, faults: list[Fault]) -> Any:
    """Returns a value without faults.

    Raises:
        Rejected: it has some; the value goes with them, for what is usable of it.
    """
    if faults:
        raise Rejected(faults, value)
    return value


def under(key: str | int, fault: Fault) -> Fault:
    """Places a fault of a value under the value's key."""
    return attrs.evolve(fault, path=(key, *fault.path))


def distrusted(faults: list[Fault]) -> tuple[Path, ...]:
    """Returns the paths whose values the spec does not really tell.

    An unknown key makes the key that it was probably meant to be one of them: its default is not
    what the user wants.
    """
    misspelt = ((*fault.path[:-1], fault.suggestion) for fault in faults if fault.suggestion)
    return (*(fault.path for fault in faults), *misspelt)


def unknown_keys(data: Mapping[str, Any], known: Iterable[str]) -> list[Fault]:
    """Gives the faults of keys that a table does not have, each with the nearest that it has."""
    names = sorted(known)
    faults = []
    for key in data:
        if key in names:
            continue
        near = nearest(key, names)
        text = "" if near else listed(names) if names else "no keys"
        faults.append(Fault("unknown-key", (key,), "unknown key", text, near))
        if len(faults) == MAX_FAULTS:
            break
    return faults
