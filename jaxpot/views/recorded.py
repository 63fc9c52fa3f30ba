"""What a journal's records say of a run, as far as a display needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from jaxpot.loop.observer import RunInfo

if TYPE_CHECKING:
    from jaxpot.spec import Expect
    from jaxpot.spec.payload import PayloadKey

_ENTRY = {"name": str, "place": str, "score": int | float, "rollouts": int, "active": bool}


@attrs.frozen
class _Expected:
    """What a display needs of an experiment."""

    expect: tuple[Expect, ...]


def info_of(
    folder: Path,
    header: Mapping[str, Any],
    attempt: Mapping[str, Any],
    keys: list[Any],
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
    planned = attempt["iterations"]
    target = header.get("iterations") if planned is None else planned
    return RunInfo(
        uid=folder.name,
        name=str(header.get("name", folder.name)),
        run_dir=folder,
        attempt=attempt["attempt"],
        start_iter=attempt["start_iter"],
        target_iterations=max(1, attempt["start_iter"] if target is None else target),
        keys=tuple(_keys(keys)),
        device=str(attempt.get("device_kind") or "an unknown device"),
        nproc=attempt["nproc"],
        experiment=_Expected(_gates(spec)),
    )


def _keys(listed: list[Any]) -> Iterator[PayloadKey]:
    from jaxpot.spec.payload import PayloadKey

    names = {field.name for field in attrs.fields(PayloadKey)}
    for item in listed:
        try:
            yield PayloadKey(**{name: item[name] for name in names & item.keys()})
        except (TypeError, AttributeError):
            continue  # of another jaxpot, or damaged: what it says is not shown


def _gates(spec: Mapping[str, Any]) -> tuple[Expect, ...]:
    from jaxpot.spec import SpecError, from_resolved

    try:
        return from_resolved(spec).expect
    except SpecError:
        return ()  # of another jaxpot: its gates are told when the run ends


def is_standings(entries: Any) -> bool:
    """Say whether a record's standings have the form that a display relies on."""
    return isinstance(entries, list) and all(
        isinstance(entry, dict)
        and all(isinstance(entry.get(name), kind) for name, kind in _ENTRY.items())
        for entry in entries
    )
