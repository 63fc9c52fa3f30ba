"""Which runs need checkpoints of other runs: to start again, or as an opponent."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from jaxpot.journal import End, Event, Header, Payload, records
from jaxpot.store.runs import JournalFile, journals

_SHOWN = 5


class Reference(NamedTuple):
    """A run that needs a checkpoint of another one.

    Attributes:
        uid: The run's.
        name: The run's.
        owner: The uid of the run whose checkpoint it is.
        checkpoint: Its directory, relative to the folder of all runs.
        role: What for: `start`, its first network, or `opponent`, of an evaluator.
    """

    uid: str
    name: str
    owner: str
    checkpoint: str
    role: str


def references(runs_dir: Path) -> list[Reference]:
    """List what runs need of other runs, as their journals say before their first iteration."""
    return sorted({found for file in journals(runs_dir) for found in _references(file)})


def needing(runs_dir: Path, uids: Collection[str]) -> list[Reference]:
    """List what runs beyond `uids` need of these."""
    return [
        found for found in references(runs_dir) if found.owner in uids and found.uid not in uids
    ]


def what_breaks(found: Collection[Reference]) -> str:
    """Say in words which runs lose what, while the runs that they need are away."""
    lines = [
        f"run {one.uid} ({one.name}) "
        + (
            f"started from {one.checkpoint}: without it, it cannot be verified, nor resumed before "
            "its own first checkpoint"
            if one.role == "start"
            else f"is evaluated against {one.checkpoint}: without it, it cannot be resumed or "
            "verified"
        )
        for one in list(found)[:_SHOWN]
    ]
    more = len(found) - _SHOWN
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def _references(file: JournalFile) -> Iterator[Reference]:
    name = file.uid
    try:
        for record in records(file.path):
            match record:
                case Header():
                    name = record.name or file.uid
                    yield from _reference(file.uid, name, record.parent, "start")
                case Event(name="opponent", payload={"checkpoint": path}):
                    yield from _reference(file.uid, name, path, "opponent")
                case Payload() | End():
                    return  # an attempt names its opponents before it trains
                case _:
                    pass
    except OSError:
        return


def _reference(uid: str, name: str, path: Any, role: str) -> Iterator[Reference]:
    parts = PurePosixPath(path).parts if isinstance(path, str) else ()
    if len(parts) > 1 and parts[0] != uid:
        yield Reference(uid, name, parts[0], str(path), role)
