"""From a journal's lines to rows: one function for each kind of record.

A function raises before it adds or changes anything, so that a line counts in full or, named in
`events`, not at all.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from jaxpot import journal
from jaxpot.journal.read import FutureJournalError, parse
from jaxpot.journal.records import INT32_MAX, JOURNAL_VERSION, Record
from jaxpot.store.batch import Batch
from jaxpot.store.state import RunState
from jaxpot.store.tables import columns_of

SKIPPED = "journal_skip"
UNKNOWN = "journal_unknown"

_DIGESTS = ("spec_toml", "spec_digest", "training_digest")
_PLACE = (
    *("git_commit", "git_dirty", "versions", "platform", "device_kind", "device_count", "isa"),
    *("nproc", "xla_flags", "host", "pid", "argv"),
)
_HEADER = ("uid", "name", *_DIGESTS, "contract", "parent", "spec_version", "seed")
_CHECKPOINT = (
    *("attempt", "iteration", "state", "path", "bytes", "sha256", "seconds", "blocking_seconds"),
    *("score", "error"),
)
_CHECKPOINT_EVENT = (
    *("type", "path", "bytes", "digest", "sha256", "score", "seconds", "blocking_seconds"),
    "error",
)
_NUMBERS = ("score", "seconds", "blocking_seconds")


def take_line(state: RunState, batch: Batch, line: bytes, offset: int) -> str | None:
    """Take in one complete line; return the reason if it is damaged, which an event records.

    Raises:
        FutureJournalError: A newer jaxpot wrote the journal.
    """
    try:
        record = parse(line)
        taken = _TAKERS[type(record)]
        time = _micros(record)
        taken(state, batch, record, time)
    except ValueError as error:
        if offset == 0:
            _refuse_newer(line)
        payload = dump({"offset": offset, "bytes": len(line), "reason": str(error)})
        row = (_attempt_of(state), None, state.run["heartbeat"], SKIPPED, payload)
        batch.add("events", state.run_id, *row)
        return str(error)
    state.run["heartbeat"] = max(time, state.run["heartbeat"] or 0)
    return None


def _refuse_newer(line: bytes) -> None:
    """Raise where a damaged first line is the header of a newer journal."""
    try:
        first = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return
    if isinstance(first, dict) and first.get("kind") == journal.Header.kind:
        version = first.get("journal_version")
        if isinstance(version, int) and version > JOURNAL_VERSION:
            raise FutureJournalError(version)


def _take_header(state: RunState, batch: Batch, record: journal.Header, time: int) -> None:
    if record.journal_version != JOURNAL_VERSION:
        raise ValueError(f"journal_version is not {JOURNAL_VERSION}")
    if record.uid != state.uid:
        raise ValueError(f"its uid is not {state.uid}, the name of its folder")
    params = list(_flatten(record.spec or {}))
    spec = _json(record.spec)
    state.run.update({name: getattr(record, name) for name in _HEADER})
    state.run.update(target=record.iterations, spec=spec, started=time)
    state.params = params
    for tag in record.tags or ():
        _tag(state, tag)


def _take_attempt(state: RunState, batch: Batch, record: journal.Attempt, time: int) -> None:
    if state.attempt is not None and record.attempt < state.attempt["attempt"]:
        raise ValueError(f"attempt {record.attempt} comes after attempt {state.attempt['attempt']}")
    spec = record.spec
    params = None if spec is None else list(_flatten(spec))
    place = {name: getattr(record, name) for name in _PLACE}
    place.update(versions=_json(record.versions), argv=_json(record.argv))
    row = {**dict.fromkeys(columns_of("attempts")), **place, "run_id": state.run_id}
    row.update(attempt=record.attempt, start_iter=record.start_iter, target=record.iterations)
    row.update(spec=_json(spec), status="running", iterations=record.start_iter, started=time)
    state.start_attempt(row)
    digests = {name: value for name in _DIGESTS if (value := getattr(record, name)) is not None}
    state.run.update(place, **digests)
    state.run.update(status="running", iterations=record.start_iter, attempts=record.attempt)
    state.run.update(ended=None, exit_reason=None, digest=None)
    if state.run["started"] is None:
        state.run["started"] = time
    if params is not None:
        state.params = params
        state.run["spec"] = row["spec"]
        if isinstance(iterations := (spec or {}).get("iterations"), int):
            state.run["target"] = min(max(iterations, 0), INT32_MAX)


def _take_keys(state: RunState, batch: Batch, record: journal.Keys, time: int) -> None:
    for key in record.keys:
        row = state.key_row(key.name)
        row.update(dtype=key.dtype, unit=key.unit, doc=key.doc)
        row.update(phase=key.phase, wall_clock=key.wall_clock)
    state.keys_changed = True


def take_payload(state: RunState, batch: Batch, record: journal.Payload, time: int) -> None:
    """Take in an iteration's metrics."""
    values = record.values
    names = tuple(values)
    mark = len(batch.value)
    try:
        batch.value.extend(values.values())  # pyright: ignore[reportArgumentType]
    except TypeError:  # a NaN, say, which a journal spells as a string
        del batch.value[mark:]
        batch.value.extend([float(value) for value in values.values()])
    ids = state.key_ids.get(names)
    if ids is None:
        ids = array("i", [state.key_row(name)["key_id"] for name in names])
        state.key_ids[names] = ids
    row = (state.run_id, record.attempt, record.iter)
    batch.add_payload(row, time, record.digest, ids)
    state.run["iterations"] = record.iter + 1
    if state.attempt is not None:
        state.attempt["iterations"] = record.iter + 1


def _take_digests(state: RunState, batch: Batch, record: journal.Digests, time: int) -> None:
    head = (state.run_id, record.attempt, record.iter, record.scope)
    for name, digest in record.values.items():
        batch.add("digests", *head, name, digest)


def _take_histogram(state: RunState, batch: Batch, record: journal.Histogram, time: int) -> None:
    row = (record.attempt, record.iter, record.name, record.counts)
    batch.add("histograms", state.run_id, *row)


def _take_standings(state: RunState, batch: Batch, record: journal.Standings, time: int) -> None:
    head = (state.run_id, record.attempt, record.iter)
    for one in record.standings:
        row = (one.name, one.place, _number(one.score), one.rollouts, one.active)
        batch.add("league_standings", *head, *row)


def _take_checkpoint(state: RunState, batch: Batch, record: journal.Checkpoint, time: int) -> None:
    found = {name: getattr(record, name) for name in _CHECKPOINT}
    found |= {name: _number(getattr(record, name)) for name in _NUMBERS}
    found |= {"run_id": state.run_id, "kind": record.type, "time": time}
    # As the journal has them: a score that is not finite stays a text, which JSON can hold.
    payload = dump({name: getattr(record, name) for name in _CHECKPOINT_EVENT})
    event = (record.attempt, record.iteration, time, f"checkpoint_{record.state}")
    batch.add("events", state.run_id, *event, payload)
    place = (record.type, record.iteration)
    before = state.checkpoints.get(place)
    if before is not None and record.state != "begun":
        known = {name: value for name, value in found.items() if value is not None}
        found = {**before, **known}
    state.checkpoints[place] = {name: found[name] for name in columns_of("checkpoints")}
    state.changed_checkpoints.add(place)


def _take_event(state: RunState, batch: Batch, record: journal.Event, time: int) -> None:
    row = (record.attempt, record.iter, time, record.name, _json(record.payload))
    batch.add("events", state.run_id, *row)


def _take_tag(state: RunState, batch: Batch, record: journal.Tag, time: int) -> None:
    _tag(state, record.tag)


def _take_untag(state: RunState, batch: Batch, record: journal.Untag, time: int) -> None:
    if record.tag in state.tags:
        state.tags.remove(record.tag)
        state.tags_changed = True


def _take_note(state: RunState, batch: Batch, record: journal.Note, time: int) -> None:
    batch.add("notes", state.run_id, time, record.text)


def _take_end(state: RunState, batch: Batch, record: journal.End, time: int) -> None:
    ending: dict[str, Any] = {"status": record.status, "exit_reason": record.exit_reason}
    ending.update(digest=record.digest, ended=time)
    if record.iterations is not None:
        ending["iterations"] = record.iterations
    state.run.update(ending)
    if state.attempt is not None and record.attempt == state.attempt["attempt"]:
        state.attempt.update(ending)


def _take_unknown(state: RunState, batch: Batch, record: journal.Unknown, time: int) -> None:
    """Keep a record of a kind that this jaxpot does not know as an event: nothing is lost."""
    row = (_attempt_of(state), None, time, UNKNOWN, dump(record.fields))
    batch.add("events", state.run_id, *row)


def dump(value: object) -> str:
    """Return a value as JSON text."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _flatten(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted path and the text of every leaf of a spec; a list of tables by index."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _flatten(item, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value
    elif value is not None:
        yield path, dump(value)


def _json(value: object) -> str | None:
    return None if value is None else dump(value)


def _micros(record: Record) -> int:
    return round(record.time * 1e6)


def _number(value: float | str | None) -> float | None:
    return None if value is None else float(value)


def _attempt_of(state: RunState) -> int | None:
    return state.attempt["attempt"] if state.attempt else None


def _tag(state: RunState, tag: str) -> None:
    if tag not in state.tags:
        state.tags.add(tag)
        state.tags_changed = True


_TAKERS: dict[type[Record], Callable[[RunState, Batch, Any, int], None]] = {
    journal.Header: _take_header,
    journal.Attempt: _take_attempt,
    journal.Keys: _take_keys,
    journal.Payload: take_payload,
    journal.Digests: _take_digests,
    journal.Histogram: _take_histogram,
    journal.Standings: _take_standings,
    journal.Checkpoint: _take_checkpoint,
    journal.Event: _take_event,
    journal.Tag: _take_tag,
    journal.Untag: _take_untag,
    journal.Note: _take_note,
    journal.End: _take_end,
    journal.Unknown: _take_unknown,
}
