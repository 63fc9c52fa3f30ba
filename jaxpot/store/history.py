"""Reading one journal back, without the database: what resuming and verifying stand on."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from jaxpot.store.forms import completed

MAX_LINE_BYTES = 64 << 20
"""No record is longer; a longer line is damage, and is not read into memory."""

_HEAD_BYTES = 64  # a journal writes the kind first
_CHUNK_BYTES = 1 << 20


def records(
    path: Path, *, kinds: Collection[str] | None = None, start: int = 0
) -> Iterator[dict[str, Any]]:
    """Yield a journal's records in the order they were written.

    A damaged line is passed over, as ingesting does (which names it); a last line without its
    newline does not count yet. A record has every field of its kind, None where the journal says
    nothing of it.

    Args:
        path: The journal.
        kinds: Only records of these kinds; all when None.
        start: The byte at which the first line to read begins.
    """
    # Parsing costs a hundred times more than looking for the kind in the line's bytes.
    mark = re.compile(rb'"kind"\s*:\s*"(?:%s)"' % "|".join(map(re.escape, kinds or ())).encode())
    with path.open("rb") as lines:
        lines.seek(start)
        for line in _lines(lines):
            if kinds is not None and not mark.search(line, 0, _HEAD_BYTES):
                continue
            record = _record(line)
            if record is not None and (kinds is None or record.get("kind") in kinds):
                yield record


def records_between(path: Path, start: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield where a record's line begins and ends, and the record, from the offset `start` on."""
    with path.open("rb") as lines:
        lines.seek(start)
        for line in _lines(lines):
            end = lines.tell()
            record = _record(line)
            if record is not None:
                yield end - len(line), end, record


def read_header(path: Path) -> dict[str, Any] | None:
    """Give a journal's header, its first record, or None where there is none yet."""
    try:
        with path.open("rb") as lines:
            record = _record(lines.readline(MAX_LINE_BYTES))
    except OSError:
        return None
    return record if record is not None and record.get("kind") == "header" else None


def read_first(path: Path) -> dict[str, Any] | None:
    """Give a journal's first line if it calls itself a header, whatever else is in it."""
    try:
        with path.open("rb") as lines:
            record = json.loads(lines.readline(MAX_LINE_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.get("kind") == "header" else None


def live_payloads(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the payload records that count, in the order of their iterations."""
    return live_records(path, kinds=("payload",))


def live_records(path: Path, *, kinds: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the records of iterations that count, those of one kind in the iterations' order.

    A row counts when its `iter` is below every later attempt's `start_iter`: what an attempt
    recorded after the checkpoint that the next one resumed from is superseded. The league grows
    after the checkpoint of its iteration, so of standings that several attempts recorded under
    one iteration the newest one's count.

    Args:
        path: The journal.
        kinds: Some of payload, histogram and standings.
    """
    starts = [
        (record["attempt"], record["start_iter"]) for record in records(path, kinds=("attempt",))
    ]
    newest = {
        record["iter"]: record["attempt"]
        for record in (records(path, kinds=("standings",)) if "standings" in kinds else ())
    }
    for record in records(path, kinds=kinds):
        attempt, iteration = record["attempt"], record["iter"]
        if record["kind"] == "standings" and newest.get(iteration, attempt) != attempt:
            continue
        if all(iteration < start for later, start in starts if later > attempt):
            yield record


def _record(line: bytes) -> dict[str, Any] | None:
    """Give a line's record, each field of its kind in it; None of a line that counts nowhere."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
        return completed(record) if isinstance(record, dict) else None
    except (ValueError, RecursionError):
        return None


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield lines, passing over those that are too long to be a record."""
    while line := file.readline(MAX_LINE_BYTES):
        if line.endswith(b"\n") or len(line) < MAX_LINE_BYTES:
            yield line
            continue
        while (rest := file.readline(_CHUNK_BYTES)) and not rest.endswith(b"\n"):
            pass
