"""Find checkpoints and leftovers that are safe to delete, and delete them.

A run that is running is not touched. Each deletion happens under the lock of its run. A deleted
checkpoint is recorded in the run's journal, in the same way as by the run itself.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path

import attrs

from jaxpot.checkpoints.layout import PLACE_OF, PLACES, Place, place_dir
from jaxpot.checkpoints.retention import (
    Collectable,
    JournalStates,
    Records,
    Retention,
    Rule,
    collectable,
    left_behind,
)
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
from jaxpot.store import database, errors
from jaxpot.store.ingest import exclusive
from jaxpot.store.runs import RunLock, RunRef, is_running
from jaxpot.store.trash import freed_bytes, leftovers, references


@attrs.frozen
class Finding:
    """Something that can be deleted.

    Attributes:
        uid: The run that it belongs to, or None.
        path: The file or directory.
        iteration: The checkpoint's iteration; None if it is not a checkpoint.
        reason: Why it can be deleted.
        bytes: The bytes that deleting it alone frees, without files that have other hard links.
    """

    uid: str | None
    path: Path
    iteration: int | None
    reason: str
    bytes: int


@attrs.frozen
class Plan:
    """What can be deleted, what was skipped and why, and the bytes that it frees in total."""

    findings: tuple[Finding, ...]
    skipped: tuple[str, ...]
    bytes: int


def plan(runs_dir: Path, refs: Iterable[RunRef], rule: Rule, *, everywhere: bool) -> Plan:
    """Find what can be deleted, without deleting it.

    Args:
        runs_dir: The folder of all runs.
        refs: The runs to look at.
        rule: Which periodic checkpoints are old.
        everywhere: Also look for leftovers outside of runs.
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
    """Delete what `plan` finds, after looking again under each run's lock; return what is gone."""
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
    """Delete what can be deleted of a run; return it, and the bytes that this freed."""
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
    states = _recorded_states(ref.path / JOURNAL_NAME)
    found = partial(collectable, ref.path, rule, states, needed=needed)
    # Read the whole journal only if there is something to decide.
    return found(limit=read_record(ref.path).limit) if found() else []


def _delete(runs_dir: Path, ref: RunRef, rule: Rule, needed: Collection[Path]) -> None:
    """Delete what can be deleted of a run, and record it; the caller holds the run's lock."""
    attempt = max((row.attempt for row in records(ref.path / JOURNAL_NAME, Attempt)), default=1)
    with Journal(ref.path / JOURNAL_NAME) as journal:
        written = Records(
            runs_dir, lambda stage: journal.append(CheckpointRecord.of(stage, attempt=attempt))
        )
        retention = Retention(ref.path, Checkpoint(), written)
        retention.settle()
        for item in _collectable(ref, rule, needed):
            retention.delete(item.info, f"jaxpot gc: {item.reason}")
        journal.sync()


def _recorded_states(path: Path) -> JournalStates:
    states: dict[tuple[Place, int], str] = {}
    for row in records(path, CheckpointRecord):
        place = PLACE_OF.get(row.type)
        if place is not None:
            states[place, row.iteration] = row.state
    return states


def _needed(runs_dir: Path) -> set[Path]:
    return {runs_dir / found.checkpoint for found in references(runs_dir)}


def _has_checkpoints(folder: Path) -> bool:
    return place_dir(folder, "checkpoints").is_dir()


# The process that makes a younger one may be about to lock or rename it.
_YOUNG_SECONDS = 3600.0
_LOCK_WAIT_SECONDS = 2.0

_DRAFTS = (".new", ".rebuild")


def strays(runs_dir: Path) -> Iterator[tuple[Path, str]]:
    """Yield leftovers that can be deleted, and why."""
    for pattern, reason in (
        (".making-*", "a run that was killed while it was made"),
        (".importing-*", "an import that was killed"),
    ):
        for path in sorted(runs_dir.glob(pattern)):
            if _age(path) > _YOUNG_SECONDS and not is_running(path):
                yield path, reason
    for path in leftovers(runs_dir):
        if _age(path) > _YOUNG_SECONDS:
            yield path, "a purge that was killed"
    for path in _drafts(runs_dir):
        if path.exists() and _age(path) > _YOUNG_SECONDS:
            yield path, "a database that was never finished"


def delete_stray(runs_dir: Path, path: Path) -> bool:
    """Delete one of `strays`; return whether that was possible.

    A draft of the database is deleted under the lock of the database.
    """
    if path not in _drafts(runs_dir):
        shutil.rmtree(path, ignore_errors=True)  # its maker may be deleting it, too
        return not path.exists()
    try:
        with exclusive(runs_dir, wait=_LOCK_WAIT_SECONDS):
            path.unlink(missing_ok=True)
    except errors.LockKeptError:
        return False
    return True


def _drafts(runs_dir: Path) -> list[Path]:
    names = (f"{database.DATABASE_NAME}{suffix}" for suffix in _DRAFTS)
    drafts = [runs_dir / name for name in names]
    return [path for draft in drafts for path in (draft, database.wal(draft))]


def _age(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0
