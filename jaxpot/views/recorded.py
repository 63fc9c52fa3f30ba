"""What a journal's records say of a run, as far as a display needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from jaxpot.journal import Attempt, Header, Key, Standings
from jaxpot.loop.observer import RunInfo

if TYPE_CHECKING:
    from jaxpot.spec import Expect
    from jaxpot.spec.payload import PayloadKey


@attrs.frozen
class _Expected:
    """What a display needs of an experiment."""

    expect: tuple[Expect, ...]


def info_of(
    folder: Path,
    header: Header | None,
    attempt: Attempt,
    keys: list[Key],
    spec: Mapping[str, Any],
) -> RunInfo:
    """Give the facts of an attempt.

    Args:
        folder: The run's.
        header: The journal's header.
        attempt: The attempt's record.
        keys: The keys that it declared.
        spec: Its spec, resolved.
    """
    target = attempt.iterations
    if target is None and header is not None:
        target = header.iterations
    return RunInfo(
        uid=folder.name,
        name=folder.name if header is None or header.name is None else header.name,
        run_dir=folder,
        attempt=attempt.attempt,
        start_iter=attempt.start_iter,
        target_iterations=max(1, attempt.start_iter if target is None else target),
        keys=tuple(_keys(keys)),
        device=attempt.device_kind or "an unknown device",
        nproc=attempt.nproc,
        experiment=_Expected(_gates(spec)),
    )


def _keys(listed: list[Key]) -> Iterator[PayloadKey]:
    from jaxpot.spec.payload import PayloadKey

    for key in listed:
        try:
            yield PayloadKey(**msgspec.to_builtins(key))
        except TypeError:
            continue  # an older jaxpot declared fewer fields


def _gates(spec: Mapping[str, Any]) -> tuple[Expect, ...]:
    from jaxpot.spec import SpecError, from_resolved

    try:
        return from_resolved(spec).expect
    except SpecError:
        return ()  # of another jaxpot: its gates are told when the run ends


def is_whole(record: Standings) -> bool:
    """Return whether a display can show the standings: every field of every entry is known."""
    return all(None not in (x.place, x.score, x.rollouts, x.active) for x in record.standings)
