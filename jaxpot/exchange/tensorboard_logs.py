"""Taking in a folder of TensorBoard's event files as a run, by a journal made from them.

Steps become iterations, tags become keys under their own names, wall times stay. The uid derives
from when and where the log began, so that the same log is the same run again.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxpot.errors import UserError
from jaxpot.exchange.events import Log, read_log
from jaxpot.exchange.journals import Imported, only_annotated, replace_journal, staging
from jaxpot.exchange.places import EVENTS
from jaxpot.store.history import read_header, records
from jaxpot.store.journal import JOURNAL_NAME, JOURNAL_VERSION, encode
from jaxpot.store.runs import RunLock, run_dir

SOURCE = "imported"
"""Event: where a run comes from that jaxpot did not train."""

_FORMAT = "tensorboard"


def import_log(
    runs_dir: Path, folder: Path, name: str, *, origin: str = "", update: bool = False
) -> Imported:
    """Take in the event files of a folder as a run; it appears whole, or not at all.

    Args:
        runs_dir: Where the runs are.
        folder: Where the event files are.
        name: The run's.
        origin: Where the folder comes from, if not from where it is.
        update: Where that log is here already, take it in anew.

    Raises:
        UserError: no scalar is in them.
    """
    files = sorted(path for path in folder.iterdir() if EVENTS in path.name and path.is_file())
    log = read_log(files)
    if not log.values:
        why = "; ".join(f"{count} x {what}" for what, count in sorted(log.left_out.items()))
        raise UserError(f"{folder}: no scalar is in its event files{f': {why}' if why else ''}")
    uid = _uid(log, folder, files[0])
    target = run_dir(runs_dir, uid)
    runs_dir.mkdir(parents=True, exist_ok=True)
    detail = ", ".join(f"left out {n} x {what}" for what, n in sorted(log.left_out.items()))
    with staging(runs_dir) as room:
        draft = room / uid
        draft.mkdir()
        lines = (
            encode(record)
            for record in journal_of(log, uid, name, origin or str(folder.absolute()), len(files))
        )
        (draft / JOURNAL_NAME).write_bytes(b"".join(lines))
        if not target.exists():
            draft.rename(target)
            return Imported(uid, name, "imported", detail)
        return _meet(uid, name, draft / JOURNAL_NAME, target, room, update=update)


def journal_of(log: Log, uid: str, name: str, origin: str, files: int) -> Iterator[dict[str, Any]]:
    """Yield the records of a journal that says what a log says."""
    begun = _time(log.begun)
    steps = sorted(log.values)
    done = steps[-1] + 1
    yield {
        "kind": "header",
        "time": begun,
        "journal_version": JOURNAL_VERSION,
        "uid": uid,
        "name": name,
        "spec": log.hyperparameters or None,
        "iterations": done,
        "tags": [],
        "source": _FORMAT,
    }
    yield {"kind": "attempt", "time": begun, "attempt": 1, "start_iter": 0, "iterations": done}
    tags = dict.fromkeys(tag for step in steps for tag in log.values[step])
    described = [{"name": tag, "dtype": "float"} for tag in tags]
    yield {"kind": "keys", "time": begun, "attempt": 1, "keys": described}
    source = {"format": _FORMAT, "path": origin, "files": files}
    payload = {**source, "left_out": dict(log.left_out)}
    yield {"kind": "event", "time": begun, "attempt": 1, "name": SOURCE, "payload": payload}
    now = begun
    for step in steps:
        now = _time(log.times.get(step), now)
        row = {"attempt": 1, "iter": step, "values": log.values[step], "digest": None}
        yield {"kind": "payload", "time": now, **row}
    end = {"attempt": 1, "status": "completed", "exit_reason": "imported from TensorBoard"}
    yield {"kind": "end", "time": now, **end, "iterations": done, "digest": None}


def _meet(uid: str, name: str, there: Path, target: Path, room: Path, *, update: bool) -> Imported:
    """Compare with the log that was taken in before; take it in anew where asked."""
    here = target / JOURNAL_NAME
    header = read_header(here)
    if header is None or header.get("source") != _FORMAT:
        return Imported(uid, name, "refused", "another journal is here under its uid")
    ended = _after_end(here)
    if not only_annotated(here, ended):
        return Imported(uid, name, "refused", "the run here went on by itself")
    if _told(here) == _told(there):
        return Imported(uid, name, "skipped", "it is here")
    if not update:
        return Imported(uid, name, "skipped", "it is here; --update takes in what is new")
    with RunLock(target):
        replace_journal(here, there, ended, room)
    return Imported(uid, name, "updated", "")


def _after_end(path: Path) -> int:
    """Give the byte behind a made journal's last own line, the first of its end."""
    position = 0
    with path.open("rb") as lines:
        for line in lines:
            position += len(line)
            if line.startswith(b'{"kind":"end"'):
                break
    return position


def _told(path: Path) -> str:
    """Give a digest of the numbers in a journal."""
    digest = hashlib.sha256()
    for record in records(path, kinds=("payload",)):
        digest.update(encode({"iter": record["iter"], "values": record["values"]}))
    return digest.hexdigest()


def _uid(log: Log, folder: Path, first: Path) -> str:
    begun = _time(log.begun)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(begun))
    seed = f"{folder.resolve().name}\0{first.name}\0{begun!r}"
    return f"{stamp}-{hashlib.sha256(seed.encode()).hexdigest()[:6]}"


def _time(seconds: float | None, otherwise: float = 0.0) -> float:
    """Give a time that a journal takes, whatever a log says."""
    year_9999 = 253_370_764_800.0
    if seconds is None or not math.isfinite(seconds) or not 0 <= seconds < year_9999:
        return otherwise
    return seconds
