"""Where a run stands, from its journal alone: enough to resume it, or to say how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from jaxpot.errors import UserError
from jaxpot.journal.read import live_payloads, records
from jaxpot.journal.records import (
    JOURNAL_NAME,
    JOURNAL_VERSION,
    Attempt,
    Checkpoint,
    End,
    Event,
    Header,
    as_dict,
)

SUPERSEDED = "superseded"
"""Event: every checkpoint after the start of an attempt is deleted."""

_BY_ITSELF = ("completed", "gate_missed", "stopped")


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands, as its journal has it.

    Attributes:
        path: The journal.
        spec: The newest attempt's spec, resolved.
        attempt: The newest attempt's number; 0 where none has begun.
        nproc: The first attempt's thread count, which every later one must have.
        provenance: The newest attempt's record: versions, platform, device, instruction set.
        finished: Whether the newest attempt ended by itself, not interrupted, failed or killed.
        done: Iterations done when it ended; 0 where it did not end.
        digest: The digest of the state it ended with.
        checkpoint: The newest committed checkpoint, relative to the runs directory.
        time: The newest attempt's seconds by purpose.
        opponents: The source of each evaluator's opponent, by the evaluators' prefixes.
        parent: The checkpoint whose network the run started with, relative to the runs directory.
        parent_sha256: The SHA-256 of that checkpoint's arrays.
        limit: The start of an attempt that chose an older checkpoint and was killed before the
            newer ones were deleted; what comes after it is superseded. None otherwise.
        unsettled: Records of saves that were begun and neither committed nor failed.
    """

    path: Path
    spec: dict[str, Any]
    attempt: int
    nproc: int | None
    provenance: dict[str, Any]
    finished: bool
    done: int
    digest: str
    checkpoint: str | None
    time: dict[str, float]
    opponents: dict[str, dict[str, Any]]
    parent: str | None
    parent_sha256: str | None
    limit: int | None
    unsettled: tuple[Checkpoint, ...]

    def last(self, *, below: int | None = None) -> dict[str, Any]:
        """Return each key's last value, of live rows before iteration `below` only."""
        last: dict[str, Any] = {}
        for values in payloads(self.path, below=below):
            last.update(values)
        return last


def payloads(path: Path, *, below: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield each live iteration's values in order, those before iteration `below` only."""
    for row in live_payloads(path):
        if below is None or row.iter < below:
            yield {k: float(x) if isinstance(x, str) else x for k, x in row.values.items()}


def read_record(folder: Path) -> RunRecord:
    """Read the journal of the run in `folder`.

    Raises:
        UserError: The journal has no header or no spec, or a newer jaxpot wrote it.
    """
    path = folder / JOURNAL_NAME
    header: Header | None = None
    attempts: list[Attempt] = []
    end: End | None = None
    committed: list[str] = []
    limit: int | None = None
    spent: dict[str, float] = {}
    opponents: dict[str, dict[str, Any]] = {}
    begun: dict[tuple[str, int], Checkpoint] = {}
    for row in records(path, Header, Attempt, Checkpoint, Event, End):
        match row:
            case Header():
                header = header or row
            case Attempt():
                attempts.append(row)
                end, spent = None, {}
                if row.chosen or limit is not None:
                    limit = row.start_iter
            case Checkpoint():
                begun.pop((row.type, row.iteration), None)
                if row.state == "begun":
                    begun[row.type, row.iteration] = row
                elif row.state == "committed" and row.type != "best":
                    committed.append(row.path)
                elif row.state == "deleted":
                    committed = [path for path in committed if path != row.path]
            case Event(name="superseded"):
                limit = None
            case Event(name="time", payload=dict(named)):
                spent = {name: s for name, s in named.items() if isinstance(s, int | float)}
            case Event(name="opponent", payload=dict(source)):
                opponents.setdefault(str(source.get("evaluator")), source)
            case End():
                end = row
            case _:
                pass
    if header is None:
        raise UserError(f"{path}: this journal has no header; the run cannot be resumed")
    if header.journal_version > JOURNAL_VERSION:
        raise UserError(
            f"{path}: this journal has version {header.journal_version}, this jaxpot writes "
            f"{JOURNAL_VERSION}; upgrade jaxpot"
        )
    specs = [row.spec for row in (header, *attempts) if row.spec]
    if not specs:
        raise UserError(f"{path}: this journal has no spec; the run cannot be resumed")
    return RunRecord(
        path=path,
        spec=specs[-1],
        attempt=attempts[-1].attempt if attempts else 0,
        nproc=attempts[0].nproc if attempts else None,
        provenance=as_dict(attempts[-1]) if attempts else {},
        finished=end is not None and end.status in _BY_ITSELF,
        done=(end.iterations or 0) if end is not None else 0,
        digest=(end.digest or "") if end is not None else "",
        checkpoint=committed[-1] if committed else None,
        time=spent,
        opponents=opponents,
        parent=header.parent,
        parent_sha256=header.parent_sha256,
        limit=limit,
        unsettled=tuple(begun.values()),
    )
