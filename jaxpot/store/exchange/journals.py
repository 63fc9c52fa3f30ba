"""Import the folder of a run from another machine, under the same uid.

A journal is only data: it is read as JSON and copied, and nothing that it names is opened or run.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from jaxpot.checkpoints import durable
from jaxpot.checkpoints.layout import PLACES, ensure_place, in_place, place_dir
from jaxpot.errors import UserError
from jaxpot.journal import (
    ANNOTATIONS,
    JOURNAL_NAME,
    JOURNAL_VERSION,
    encode,
    line_of,
    parse,
    read_first,
    records,
)
from jaxpot.paths import sync
from jaxpot.store.batch import FEW_POINTS, Batch
from jaxpot.store.exchange.copying import common_lines, copy_tree, copy_whole_lines, whole_size
from jaxpot.store.lines import take_line
from jaxpot.store.runs import LOCK_NAME, RunLock, run_dir
from jaxpot.store.state import RunState
from jaxpot.trackers.delivery import FOLDER as SINKS_FOLDER

IMPORTING = ".importing-"

Action = Literal["imported", "updated", "skipped", "refused"]


class Imported(NamedTuple):
    """The result of importing one run."""

    uid: str
    name: str
    action: Action
    detail: str


def import_journal(
    runs_dir: Path, folder: Path, *, update: bool = False, checkpoints: bool = True
) -> Imported:
    """Import the run in `folder`; it appears once it is complete.

    Args:
        runs_dir: The folder of all runs.
        folder: The folder of the run to import.
        update: If the run already exists here, import what is new.
        checkpoints: Also import its checkpoints.

    Raises:
        UserError: It is not the folder of a run, or a newer jaxpot wrote it.
    """
    uid, name = identify(folder)
    target = run_dir(runs_dir, uid)
    if os.path.lexists(target):
        return _meet(uid, name, folder, target, update=update, checkpoints=checkpoints)
    runs_dir.mkdir(parents=True, exist_ok=True)
    with staging(runs_dir) as room:
        draft = room / uid
        draft.mkdir()
        copy_whole_lines(folder / JOURNAL_NAME, draft / JOURNAL_NAME)
        left_out = copy_tree(folder, draft, skip=_skipped(checkpoints=checkpoints))
        details = [unfit_lines(draft / JOURNAL_NAME, uid)]
        draft.rename(target)
    details += [f"left out {left_out} links and other odd files"] if left_out else []
    return Imported(uid, name, "imported", "; ".join(filter(None, details)))


def identify(folder: Path) -> tuple[str, str]:
    """Return the uid and the name of the run in a folder.

    Raises:
        UserError: Its journal has no valid header, or a newer jaxpot wrote it.
    """
    path = folder / JOURNAL_NAME
    header = None if path.is_symlink() else read_first(path)
    if header is None:
        raise UserError(f"{path}: this is no journal: its first line is no header")
    version, uid, name = header.get("journal_version"), header.get("uid"), header.get("name")
    if not isinstance(version, int) or version > JOURNAL_VERSION:
        raise UserError(
            f"{path}: this journal has version {version}, this jaxpot reads {JOURNAL_VERSION}; "
            "upgrade jaxpot"
        )
    if not isinstance(uid, str):
        raise UserError(f"{path}: its header says no uid")
    run_dir(folder, uid)  # refuses an invalid uid
    try:
        parse(encode(header))
    except ValueError as error:
        raise UserError(f"{path}: its header is refused: {error}") from error
    return uid, name if isinstance(name, str) else uid


def unfit_lines(path: Path, uid: str) -> str:
    """Describe the lines of a journal that the ingest will skip."""
    state, batch, offset, count, first = RunState(uid), Batch(), 0, 0, ""
    with path.open("rb") as lines:
        for line in lines:
            reason = take_line(state, batch, line.removesuffix(b"\n"), offset)
            if reason is not None:
                count += 1
                first = first or f"at byte {offset}: {reason}"
            offset += len(line)
            if batch.points > FEW_POINTS:
                batch = Batch()
    more = f", and {count - 1} more" if count > 1 else ""
    return f"left out the line {first}{more}" if count else ""


@contextmanager
def staging(runs_dir: Path) -> Iterator[Path]:
    """Make a temporary, locked folder next to the runs, which is not mistaken for a run."""
    room = runs_dir / f"{IMPORTING}{secrets.token_hex(4)}"
    room.mkdir()
    try:
        with RunLock(room):
            yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _skipped(*, checkpoints: bool) -> frozenset[str]:
    # What sinks have is of the machine that delivered it.
    always = {JOURNAL_NAME, LOCK_NAME, SINKS_FOLDER}
    return frozenset(always if checkpoints else always | {"checkpoints"})


def _meet(
    uid: str, name: str, folder: Path, target: Path, *, update: bool, checkpoints: bool
) -> Imported:
    """Compare with the existing run of this uid, and update it if asked to."""
    here, there = target / JOURNAL_NAME, folder / JOURNAL_NAME
    if not here.is_file():
        return Imported(uid, name, "refused", f"{target} is there, and no run")
    same = common_lines(here, there)
    if whole_size(there) <= same:
        more = whole_size(here) > same
        return Imported(uid, name, "skipped", "it is here, and further" if more else "it is here")
    if not only_annotated(here, same):
        return Imported(uid, name, "refused", "another journal is here under its uid")
    if not update:
        return Imported(uid, name, "skipped", "it is here; --update takes in what is new")
    with RunLock(target), staging(target.parent) as room:
        replace_journal(here, there, same, room)
        if checkpoints:
            _add_checkpoints(folder, target)
    return Imported(uid, name, "updated", unfit_lines(here, uid))


def replace_journal(here: Path, there: Path, same: int, room: Path) -> None:
    """Replace a journal by a longer one, keeping tags and notes that only the old one has.

    The caller holds the run's lock.
    """
    draft = room / JOURNAL_NAME
    copy_whole_lines(there, draft)
    with draft.open("ab") as file:
        for record in records(here, *ANNOTATIONS, start=same):
            file.write(line_of(record, here))
    sync(draft)
    draft.replace(here)
    sync(here.parent)


def only_annotated(path: Path, start: int) -> bool:
    """Return whether a journal has only tags and notes from byte `start` on."""
    return all(isinstance(record, ANNOTATIONS) for record in records(path, start=start))


def _add_checkpoints(folder: Path, target: Path) -> None:
    """Import the checkpoints that the existing run does not have."""
    for place in PLACES:
        for info in in_place(folder, place):
            final = place_dir(target, place) / f"{info.iteration:06d}"
            if final.exists():
                continue
            ensure_place(final.parent)
            draft = durable.aside(final, "tmp")
            draft.mkdir()
            copy_tree(info.path, draft)
            durable.publish(draft, final)
