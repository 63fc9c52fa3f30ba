"""Where two records part: the first iteration, and what was recorded of phases and leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from jaxpot.errors import UserError
from jaxpot.journal import Attempt, Digests, Keys, Payload, live_payloads, records
from jaxpot.verify.trace import wall_clock_keys


class KeyDifference(NamedTuple):
    """A payload key on whose value two iterations disagree."""

    key: str
    a: Any
    b: Any


@attrs.frozen(kw_only=True)
class Divergence:
    """How far two runs agree.

    Attributes:
        shared: How many iterations both have recorded.
        last: The last of them.
        iteration: The first one after which their states differ; None if there is none.
        digests: The two states' digests there.
        attempts: Which attempts of the two runs recorded it, or the last shared iteration.
        payload: The first iteration whose payloads differ, up to `iteration`.
        keys: What differs in them, in both, wall-clock keys apart.
    """

    shared: int
    last: int
    iteration: int | None
    digests: tuple[str, str] | None
    attempts: tuple[int, int]
    payload: int | None
    keys: tuple[KeyDifference, ...]

    @property
    def found(self) -> bool:
        """Whether anything differs."""
        return self.iteration is not None or self.payload is not None


@attrs.frozen(kw_only=True)
class Located:
    """What single digests say at an iteration at which both runs have them.

    Attributes:
        iteration: That iteration.
        phase: The first phase whose output differs; None where none does, or where the states
            differed before the iteration, so that every phase was given something else.
        phases: All of them, in their order.
        leaves: Paths of the leaves that differ.
    """

    iteration: int
    phase: str | None
    phases: tuple[str, ...]
    leaves: tuple[str, ...]


def compare_records(a: Path, b: Path) -> Divergence:
    """Compares two journals row by row, up to the first iteration whose states differ.

    Raises:
        UserError: They have no iteration in common.
    """
    times = wall_clock_keys(a) | wall_clock_keys(b)
    shared, last, attempts = 0, 0, (0, 0)
    iteration: int | None = None
    digests: tuple[str, str] | None = None
    payload: int | None = None
    keys: tuple[KeyDifference, ...] = ()
    for x, y in _shared_rows(a, b):
        shared, last, attempts = shared + 1, x.iter, (x.attempt, y.attempt)
        if payload is None:
            keys = tuple(_key_differences(x.values, y.values, times))
            payload = last if keys else None
        if x.digest != y.digest:
            iteration, digests = last, (x.digest or "", y.digest or "")
            break
    if not shared:
        raise UserError(
            f"{a.parent.name} and {b.parent.name} have recorded no iteration in common; "
            "there is nothing to compare"
        )
    return Divergence(
        shared=shared,
        last=last,
        iteration=iteration,
        digests=digests,
        attempts=attempts,
        payload=payload,
        keys=keys,
    )


def locate(a: Path, b: Path, iteration: int) -> Located | None:
    """Finds the first iteration from `iteration` on with single digests in both, and compares them.

    Args:
        a: One journal.
        b: The other one.
        iteration: The first one after which the states differ.
    """
    in_a, in_b = _single_digests(a, iteration), _single_digests(b, iteration)
    both = sorted(at for at in in_a.keys() & in_b.keys() if "leaf" in in_a[at] and in_b[at])
    if not both:
        return None
    at = both[0]
    leaves = _differing(in_a[at].get("leaf", {}), in_b[at].get("leaf", {}))
    order = _phase_order(a)
    phases = sorted(
        _differing(in_a[at].get("phase", {}), in_b[at].get("phase", {})),
        key=lambda name: (order.index(name) if name in order else len(order), name),
    )
    exact = at == iteration and bool(phases)
    return Located(
        iteration=at,
        phase=phases[0] if exact else None,
        phases=tuple(phases),
        leaves=tuple(sorted(leaves)),
    )


def first_mismatch(record: Path, again: Path, last: int) -> int | None:
    """Returns the first iteration up to `last` at which a re-run has not the recorded digest.

    Args:
        record: The journal of the record.
        again: The journal of the re-run, which may have started later.
        last: The last iteration to compare.
    """
    for x, y in _shared_rows(record, again):
        if x.iter <= last and x.digest != y.digest:
            return x.iter
    return None


def _shared_rows(a: Path, b: Path) -> Iterator[tuple[Payload, Payload]]:
    """Yields the live rows of each iteration that both have; damaged lines leave gaps."""
    left, right = live_payloads(a), live_payloads(b)
    x, y = next(left, None), next(right, None)
    while x is not None and y is not None:
        if x.iter == y.iter:
            yield x, y
            x, y = next(left, None), next(right, None)
        elif x.iter < y.iter:
            x = next(left, None)
        else:
            y = next(right, None)


def _key_differences(a: Any, b: Any, times: frozenset[str]) -> Iterator[KeyDifference]:
    for key, value in a.items():
        # Text tells 0.0 from -0.0 and 1 from 1.0; NaN is written as one.
        if key in b and key not in times and repr(value) != repr(b[key]):
            yield KeyDifference(key, value, b[key])


def _phase_order(path: Path) -> list[str]:
    """Returns the timed phases in the order in which they run, which is that of their keys."""
    found = {
        key.phase or "": None
        for record in records(path, Keys)
        for key in record.keys
        if key.name.startswith("timings/")
    }
    return list(found)


def _single_digests(path: Path, start: int) -> dict[int, dict[str, dict[str, str]]]:
    """Returns the live digests of leaves and phases by iteration and scope."""
    starts = [(record.attempt, record.start_iter) for record in records(path, Attempt)]
    found: dict[int, dict[str, dict[str, str]]] = {}
    for record in records(path, Digests):
        at, attempt = record.iter, record.attempt
        if at >= start and all(at < begun for later, begun in starts if later > attempt):
            found.setdefault(at, {})[record.scope] = record.values
    return found


def _differing(a: dict[str, str], b: dict[str, str]) -> list[str]:
    return [name for name in (*a, *(n for n in b if n not in a)) if a.get(name) != b.get(name)]
