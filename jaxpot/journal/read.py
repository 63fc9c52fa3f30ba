"""Read a journal: every record as its class, without the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, TypeVar, Union

import msgspec

from jaxpot.journal.records import (
    JOURNAL_VERSION,
    KINDS,
    UNDATED,
    Attempt,
    Digests,
    Header,
    Histogram,
    Payload,
    Record,
    Standings,
    Time,
    Unknown,
)

MAX_LINE_BYTES = 64 << 20
"""No record is longer; a longer line is damage, and is not read into memory."""

MAX_DEPTH = 100
"""How deep tables and lists may be nested; readers take some calls for each level."""

_HEAD_BYTES = 64  # a journal writes the kind first
_CHUNK_BYTES = 1 << 20
_MISSING = re.compile(r"Object missing required field `(\w+)`")

_decode = msgspec.json.Decoder(Union[tuple(KINDS.values())]).decode  # noqa: UP007 (made from a list)
_decode_any = msgspec.json.Decoder().decode

Live = Payload | Digests | Histogram | Standings
"""Records of one iteration, which a resumed run records again."""

R = TypeVar("R", bound=Record)
L = TypeVar("L", bound=Live)


class FutureJournalError(Exception):
    """The journal was written in a form that only a newer jaxpot reads."""

    def __init__(self, version: object) -> None:
        super().__init__(
            f"its journal has version {version}, this jaxpot reads {JOURNAL_VERSION}; "
            "upgrade jaxpot"
        )


def parse(line: bytes) -> Record:
    """Return the record of one line.

    Raises:
        ValueError: The line is damaged; the message says how.
    """
    try:
        # A line with few brackets cannot be nested deep, and most lines are payloads with two.
        if line.count(b"{") + line.count(b"[") > MAX_DEPTH:
            _check_depth(_decode_any(line))
        return _dated(_decode(line))
    except msgspec.ValidationError as error:
        return _unknown(line, error)
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise ValueError(f"not JSON: {reason}") from None
    except UnicodeError:
        raise ValueError("not UTF-8 text") from None
    except RecursionError:
        raise ValueError("nested too deep") from None


def records(path: Path, *kinds: type[R], start: int = 0) -> Iterator[R]:
    """Yield a journal's records of some kinds, in the order they were written.

    Damaged lines are skipped; the ingest names them. A last line without its newline does not count
    yet.

    Args:
        path: The journal.
        kinds: Only records of these classes; all without any.
        start: The byte at which the first line to read begins.
    """
    # Parsing costs a hundred times more than looking for the kind in the line's bytes.
    names = "|".join(kind.kind for kind in kinds)
    mark = re.compile(rb'"kind"\s*:\s*"(?:%s)"' % names.encode())
    with path.open("rb") as file:
        file.seek(start)
        for line in _lines(file):
            if kinds and not mark.search(line, 0, _HEAD_BYTES):
                continue
            record = _record(line)
            if record is not None and (not kinds or isinstance(record, kinds)):
                yield record  # pyright: ignore[reportReturnType]


def records_between(path: Path, start: int) -> Iterator[tuple[int, int, Record]]:
    """Yield where each record's line begins and ends, and the record, from byte `start` on."""
    with path.open("rb") as file:
        file.seek(start)
        for line in _lines(file):
            end = file.tell()
            record = _record(line)
            if record is not None:
                yield end - len(line), end, record


def read_header(path: Path) -> Header | None:
    """Return a journal's header, its first record, or None where there is none."""
    try:
        with path.open("rb") as file:
            record = _record(file.readline(MAX_LINE_BYTES))
    except OSError:
        return None
    return record if isinstance(record, Header) else None


def read_first(path: Path) -> dict[str, Any] | None:
    """Return a journal's first line if it says that it is a header, whatever else is in it."""
    try:
        with path.open("rb") as file:
            record = _decode_any(file.readline(MAX_LINE_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.get("kind") == Header.kind else None


def live_payloads(path: Path) -> Iterator[Payload]:
    """Yield the payloads that count, in the order of their iterations."""
    return live_records(path, Payload)


def live_records(path: Path, *kinds: type[L]) -> Iterator[L]:
    """Yield the records of iterations that count, those of one kind in the iterations' order.

    A record counts when its `iter` is below every later attempt's `start_iter`: a resumed run
    records again what came after its checkpoint. The league grows after the checkpoint of its
    iteration, so the newest attempt's standings of an iteration count.
    """
    starts = {each.attempt: each.start_iter for each in records(path, Attempt)}
    newest: dict[int, int] = {}
    if Standings in kinds:
        newest = {each.iter: each.attempt for each in records(path, Standings)}
    for record in records(path, *kinds):
        if isinstance(record, Standings) and newest[record.iter] != record.attempt:
            continue
        if is_live(record, starts):
            yield record


def is_live(record: Live, starts: dict[int, int]) -> bool:
    """Return whether no later attempt did the record's iteration again.

    Args:
        record: The record.
        starts: The `start_iter` of each attempt.
    """
    number, iteration = record.attempt, record.iter
    return all(iteration < start for later, start in starts.items() if later > number)


def _record(line: bytes) -> Record | None:
    """Return a line's record, or None for a damaged or unfinished line."""
    if not line.endswith(b"\n"):
        return None
    try:
        return parse(line)
    except ValueError:
        return None


def _unknown(line: bytes, error: msgspec.ValidationError) -> Unknown:
    """Return a record of an unknown kind; a known kind with a wrong field is damage."""
    try:
        fields = _decode_any(line)
    except msgspec.DecodeError as damage:  # after the field that `error` names
        raise ValueError(f"not JSON: {str(damage).removeprefix('JSON is malformed: ')}") from None
    if not isinstance(fields, dict):
        raise ValueError("not a JSON object") from None
    kind = fields.get("kind")
    if not isinstance(kind, str):
        raise ValueError("no kind") from None
    if kind in KINDS:
        raise ValueError(_reason(error)) from None
    return Unknown(time=_time(fields), fields=fields)


def _reason(error: msgspec.ValidationError) -> str:
    """Say which field is wrong and what it should be."""
    text, _, place = str(error).partition(" - at `$")
    if missing := _MISSING.match(text):
        return f"no {missing[1]}"
    field = place.strip("`.")
    return f"{field}: {text[0].lower()}{text[1:]}" if field else text


def _dated(record: Record) -> Record:
    if record.time == UNDATED:
        raise ValueError("no time")
    return record


def _time(fields: dict[str, Any]) -> float:
    try:
        return msgspec.convert(fields.get("time"), Time)
    except msgspec.ValidationError:
        raise ValueError("no time from 1970 to 9999") from None


def _check_depth(value: Any, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return
    for item in value:
        _check_depth(item, depth + 1)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield lines, but for those that are too long to be a record."""
    while line := file.readline(MAX_LINE_BYTES):
        if line.endswith(b"\n") or len(line) < MAX_LINE_BYTES:
            yield line
            continue
        while (rest := file.readline(_CHUNK_BYTES)) and not rest.endswith(b"\n"):
            pass
