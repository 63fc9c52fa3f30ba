"""Garbage collection: found without touching anything, deleted under the locks of whom it is.

A run that is running is left alone wholly. A checkpoint that goes is recorded in its run's journal
as the run's own writer records one, so that the tables know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path

import attrs

from jaxpot.checkpoints.collect import Collectable, Rule, Told, collectable, left_behind
from jaxpot.checkpoints.layout import PLACE_OF, PLACES, Place, place_dir
from jaxpot.checkpoints.records import Records
from jaxpot.checkpoints.retention import Retention
from jaxpot.errors import UserError
from jaxpot.journal import (
    JOURNAL_NAME,
    Attempt,
    Journal,
    read_record,
    records,
)
from jaxpot.journal import (
    Checkpoint as CheckpointRecord,
)
from jaxpot.spec import Checkpoint
from jaxpot.store.disk import freed_bytes
from jaxpot.store.references import references
from jaxpot.store.runs import RunLock, RunRef, is_running
from jaxpot.upkeep.strays import delete_stray, strays


@attrs.frozen
class Finding:
    """Something that can go.

    Attributes:
        uid: Whose it is; None for what is no run's.
        path: The file or directory.
        iteration: Of a checkpoint; None for what is none.
        reason: Why it can go.
        bytes: What deleting it alone frees; hard links to a file that stays free nothing.
    """

    uid: str | None
    path: Path
    iteration: int | None
    reason: str
    bytes: int


@attrs.frozen
class Plan:
    """What can go, what was left alone, and what all of it together frees."""

    findings: tuple[Finding, ...]
    skipped: tuple[str, ...]
    bytes: int


def plan(runs_dir: Path, refs: Iterable[RunRef], rule: Rule, *, everywhere: bool) -> Plan:
    """Finds what can go; deletes nothing.

    Args:
        runs_dir: The folder of all runs.
        refs: The runs to look at.
        rule: Which periodic checkpoints are old.
        everywhere: Look beside the runs, too.
    """
    needed = _needed(runs_dir)
    findings: list[Finding] = []
    skipped: list[str] = []
    for ref in refs:
        try:
            _refuse_running(ref)
            findings += _of_run(ref, rule, needed)
        except (UserError, OSError) as error:
            skipped.append(f"run {ref.uid} ({ref.name}) is left alone: {error}")
    if everywhere:
        findings += [
            Finding(None, path, None, reason, freed_bytes([path]))
            for path, reason in strays(runs_dir)
        ]
    return Plan(tuple(findings), tuple(skipped), freed_bytes(found.path for found in findings))


def apply(runs_dir: Path, refs: Iterable[RunRef], rule: Rule, *, everywhere: bool) -> Plan:
    """Deletes what `plan` finds, looking again under each run's lock; gives what is gone."""
    needed = _needed(runs_dir)
    gone: list[Finding] = []
    skipped: list[str] = []
    freed = 0
    for ref in refs:
        try:
            _refuse_running(ref)
            found, size = _collect(runs_dir, ref, rule, needed)
        except (UserError, OSError) as error:
            skipped.append(f"run {ref.uid} ({ref.name}) is left alone: {error}")
        else:
            gone += found
            freed += size
    if everywhere:
        for path, reason in strays(runs_dir):
            size = freed_bytes([path])
            if delete_stray(runs_dir, path):
                gone.append(Finding(None, path, None, reason, size))
                freed += size
    return Plan(tuple(gone), tuple(skipped), freed)


def _refuse_running(ref: RunRef) -> None:
    if is_running(ref.path):
        raise UserError("it is running")


def _collect(
    runs_dir: Path, ref: RunRef, rule: Rule, needed: Collection[Path]
) -> tuple[list[Finding], int]:
    """Deletes what can go of a run; gives it, and the bytes that are free by that."""
    if not _has_checkpoints(ref.path):
        return [], 0
    with RunLock(ref.path):
        found = _of_run(ref, rule, needed)
        freed = freed_bytes(finding.path for finding in found)
        if found:
            _delete(runs_dir, ref, rule, needed)
    return found, freed


def _of_run(ref: RunRef, rule: Rule, needed: Collection[Path]) -> list[Finding]:
    for folder in (place_dir(ref.path, place) for place in PLACES):
        if folder.is_symlink():
            raise UserError(f"{folder} is a link, and what it leads to is not touched")
    found = [
        Finding(ref.uid, path, None, "a killed save or deletion left it", freed_bytes([path]))
        for path in left_behind(ref.path)
    ]
    for item in _collectable(ref, rule, needed):
        path = item.info.path
        size = freed_bytes([path])
        found.append(Finding(ref.uid, path, item.info.iteration, item.reason, size))
    return found


def _collectable(ref: RunRef, rule: Rule, needed: Collection[Path]) -> list[Collectable]:
    if not _has_checkpoints(ref.path):
        return []
    told = _told(ref.path / JOURNAL_NAME)
    found = partial(collectable, ref.path, rule, told, needed=needed)
    # The journal is read whole only where there is something to decide.
    return found(limit=read_record(ref.path).limit) if found() else []


def _delete(runs_dir: Path, ref: RunRef, rule: Rule, needed: Collection[Path]) -> None:
    """Deletes what can go of a run whose lock the caller holds, each thing recorded."""
    attempt = max((row.attempt for row in records(ref.path / JOURNAL_NAME, Attempt)), default=1)
    with Journal(ref.path / JOURNAL_NAME) as journal:
        told = Records(
            runs_dir, lambda stage: journal.append(CheckpointRecord.of(stage, attempt=attempt))
        )
        retention = Retention(ref.path, Checkpoint(), told.deleted)
        retention.settle()
        for item in _collectable(ref, rule, needed):
            retention.delete(item.info, f"jaxpot gc: {item.reason}")
        journal.sync()


def _told(path: Path) -> Told:
    told: dict[tuple[Place, int], str] = {}
    for row in records(path, CheckpointRecord):
        place = PLACE_OF.get(row.type)
        if place is not None:
            told[place, row.iteration] = row.state
    return told


def _needed(runs_dir: Path) -> set[Path]:
    return {runs_dir / found.checkpoint for found in references(runs_dir)}


def _has_checkpoints(folder: Path) -> bool:
    return place_dir(folder, "checkpoints").is_dir()
