"""Import a folder of TensorBoard's event files as a run, by writing a journal from them.

Steps become iterations, tags become keys, and wall times stay. A log is recognized by the bytes and
the place of its event files: the same log is the same run, a log that continues it can update the
run, and any other log is another run, even under the same name.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxpot.errors import UserError
from jaxpot.journal import (
    JOURNAL_NAME,
    JOURNAL_VERSION,
    Attempt,
    End,
    Event,
    Header,
    Key,
    Keys,
    Payload,
    Record,
    line_of,
    read_header,
    records,
)
from jaxpot.store.exchange.event_files import EVENTS, Log, read_log
from jaxpot.store.exchange.journals import Imported, only_annotated, replace_journal, staging
from jaxpot.store.runs import RunLock, run_dir

SOURCE = "imported"
"""Event: the source of a run that jaxpot did not train."""

_FORMAT = "tensorboard"
_CHUNK = 1 << 20


def import_log(
    runs_dir: Path, folder: Path, name: str, *, origin: str = "", update: bool = False
) -> Imported:
    """Import the event files of a folder as a run; it appears once it is complete.

    Args:
        runs_dir: The folder of all runs.
        folder: The folder of the event files.
        name: The name of the run.
        origin: The original place of the folder, if it is a temporary copy.
        update: If the log has been imported before, import what is new.

    Raises:
        UserError: There is no scalar in them.
    """
    files = sorted(path for path in folder.iterdir() if EVENTS in path.name and path.is_file())
    parts = [
        _part(path, path.stat().st_size) for path in files
    ]  # before reading: a log may grow in the meantime
    log = read_log(files)
    if not log.values:
        why = "; ".join(f"{count} x {what}" for what, count in sorted(log.left_out.items()))
        raise UserError(f"{folder}: no scalar is in its event files{f': {why}' if why else ''}")
    runs_dir.mkdir(parents=True, exist_ok=True)
    detail = ", ".join(f"left out {n} x {what}" for what, n in sorted(log.left_out.items()))
    origin = origin or str(folder.absolute())
    uid, known, relation = _own_run(runs_dir, log, folder, files, origin)
    target = run_dir(runs_dir, uid)
    with staging(runs_dir) as room:
        draft = room / uid
        draft.mkdir()
        path = draft / JOURNAL_NAME
        made = (line_of(record, path) for record in journal_of(log, uid, name, origin, parts))
        path.write_bytes(b"".join(made))
        if known is None:
            draft.rename(target)
            return Imported(uid, name, "imported", detail)
        if relation != "beyond":
            return Imported(uid, name, "skipped", f"it is here{relation and ', and further'}")
        if not only_annotated(known.path, known.end):
            return Imported(uid, name, "refused", "the run here went on by itself")
        if not update:
            return Imported(uid, name, "skipped", "it is here; --update takes in what is new")
        with RunLock(target):
            replace_journal(known.path, draft / JOURNAL_NAME, known.end, room)
        return Imported(uid, name, "updated", detail)


def journal_of(
    log: Log, uid: str, name: str, origin: str, parts: Sequence[Mapping[str, Any]]
) -> Iterator[Record]:
    """Yield the records of a journal with the contents of a log."""
    begun = _time(log.begun)
    steps = sorted(log.values)
    done = steps[-1] + 1
    yield Header(
        time=begun,
        journal_version=JOURNAL_VERSION,
        uid=uid,
        name=name,
        spec=log.hyperparameters or None,
        iterations=done,
        source=_FORMAT,
    )
    yield Attempt(time=begun, attempt=1, start_iter=0, iterations=done)
    tags = dict.fromkeys(tag for step in steps for tag in log.values[step])
    yield Keys(time=begun, attempt=1, keys=[Key(name=tag, dtype="float") for tag in tags])
    source = {"format": _FORMAT, "path": origin, "files": len(parts), "parts": list(parts)}
    payload = {**source, "left_out": dict(log.left_out)}
    yield Event(time=begun, attempt=1, name=SOURCE, payload=payload)
    now = begun
    for step in steps:
        now = _time(log.times.get(step), now)
        yield Payload(time=now, attempt=1, iter=step, values=dict(log.values[step]))
    yield End(
        time=now,
        attempt=1,
        status="completed",
        exit_reason="imported from TensorBoard",
        iterations=done,
    )


class _Known:
    """An existing run whose uid a log may have."""

    def __init__(self, path: Path) -> None:
        self.path = path
        header = read_header(path)
        self._is_log = header is not None and header.source == _FORMAT
        self.end = _after_end(path) if self._is_log else 0

    def relation(self, log: Log, files: Sequence[Path], origin: str) -> str | None:
        """Compare a log with the run: `""` if equal, `before` if shorter, `beyond` if longer.

        Returns:
            None if it is another log.
        """
        if not self._is_log:
            return None
        named = (event for event in records(self.path, Event) if event.name == SOURCE)
        first = next(named, None)
        source = (first.payload if first is not None else None) or {}
        # If it has wall times, an equal log is a copy, wherever it is.
        if source.get("path") != origin and not _time(log.begun):
            return None
        values = {
            row.iter: {name: float(value) for name, value in row.values.items()}
            for row in records(self.path, Payload)
        }
        here = {
            step: repr(row) for step, row in values.items()
        }  # as text, since NaN is not equal to itself
        there = {step: repr(row) for step, row in log.values.items()}
        if here == there:
            return ""
        parts = source.get("parts")
        if _go_on(parts, files) if parts else here.items() <= there.items():
            return "beyond"
        return "before" if there.items() <= here.items() else None


def _go_on(parts: Any, files: Sequence[Path]) -> bool:
    """Return whether the files begin with the bytes that were imported."""
    paths = {path.name: path for path in files}
    for part in parts if isinstance(parts, list) else [None]:
        match part:
            case {"name": str(name), "bytes": int(size)} if name in paths:
                if _part(paths[name], size) != part:
                    return False
            case _:
                return False
    return True


def _part(path: Path, size: int) -> dict[str, Any]:
    """Return name, length and digest of a file's first bytes, at most `size` of them."""
    digest, left = hashlib.sha256(), size
    with path.open("rb") as file:
        while left and (chunk := file.read(min(left, _CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
    return {"name": path.name, "bytes": size - left, "sha256": digest.hexdigest()}


def _after_end(path: Path) -> int:
    """Return the position after the `end` record that the import wrote."""
    position = 0
    with path.open("rb") as lines:
        for line in lines:
            position += len(line)
            if line.startswith(b'{"kind":"end"'):
                break
    return position


def _own_run(
    runs_dir: Path, log: Log, folder: Path, files: Sequence[Path], origin: str
) -> tuple[str, _Known | None, str]:
    """Return a log's uid, the existing run with it, if any, and their relation.

    If another log has the uid, the next one is tried.
    """
    begun, count = _time(log.begun), 0
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(begun))
    seed = f"{folder.resolve().name}\0{files[0].name}\0{begun!r}"
    while True:
        text = f"{seed}\0{count}" if count else seed
        uid = f"{stamp}-{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:6]}"
        target = run_dir(runs_dir, uid)
        if not os.path.lexists(target):
            return uid, None, ""
        known = _Known(target / JOURNAL_NAME)
        relation = known.relation(log, files, origin)
        if relation is not None:
            return uid, known, relation
        count += 1


def _time(seconds: float | None, otherwise: float = 0.0) -> float:
    """Return a time that is valid in a journal, or `otherwise`."""
    year_9999 = 253_370_764_800.0
    if seconds is None or not math.isfinite(seconds) or not 0 <= seconds < year_9999:
        return otherwise
    return seconds
