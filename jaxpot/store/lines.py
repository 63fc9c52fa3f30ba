"""From a journal's lines to rows: one function for each kind of record.

A function checks everything it takes before it adds or changes anything, so that a line counts
in full or, named in `events`, not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from jaxpot.store import fields
from jaxpot.store.batch import Batch
from jaxpot.store.fields import Record
from jaxpot.store.journal import JOURNAL_VERSION
from jaxpot.store.series import take_digests, take_histogram, take_payload, take_standings
from jaxpot.store.state import RunState
from jaxpot.store.tables import columns_of

SKIPPED = "journal_skip"
UNKNOWN = "journal_unknown"

_decode = json.JSONDecoder().decode
_PAYLOAD = b'{"kind":"payload",'  # as journals begin such a line

_PROVENANCE_TEXT = ("git_commit", "platform", "device_kind", "isa", "xla_flags", "host")
_PROVENANCE_JSON = ("versions", "argv")
_PROVENANCE_COUNT = ("device_count", "nproc")

_CHECKPOINT_EVENT = ("type", "path", "bytes", "digest", "sha256", "score", "seconds")
_CHECKPOINT_EVENT += ("blocking_seconds", "error")


class FutureJournalError(Exception):
    """The journal was written in a form that only a newer jaxpot reads."""

    def __init__(self, version: object) -> None:
        super().__init__(
            f"its journal has version {version}, this jaxpot reads {JOURNAL_VERSION}; "
            "upgrade jaxpot"
        )


def take_line(state: RunState, batch: Batch, line: bytes, offset: int) -> str | None:
    """Take in one complete line; the reason when it is damaged, which an event then records.

    Raises:
        FutureJournalError: a newer jaxpot wrote the journal.
    """
    try:
        record = _parsed(line)
        if not isinstance(record, dict):
            raise ValueError("not a JSON object")
        kind = fields.text(record, "kind")
        taken = _TAKERS.get(kind, _take_unknown)
        if taken is not take_payload:
            json.dumps(record, allow_nan=False, ensure_ascii=False).encode()
        time = fields.micros(record)
        taken(state, batch, record, time)
    except (ValueError, RecursionError) as error:
        reason = _reason(error)
        attempt = state.attempt["attempt"] if state.attempt else None
        payload = fields.dump({"offset": offset, "bytes": len(line), "reason": reason})
        batch.add("events", state.run_id, attempt, None, state.run["heartbeat"], SKIPPED, payload)
        return reason
    state.run["heartbeat"] = max(time, state.run["heartbeat"] or 0)
    return None


def _parsed(line: bytes) -> Any:
    """Give a line's JSON value; of a payload, which most lines are, by the fastest way there is.

    orjson gives the same doubles. What it refuses, the standard library may take, or says why not.
    """
    if line.startswith(_PAYLOAD):
        try:
            return orjson.loads(line)
        except orjson.JSONDecodeError:
            pass
    return _decode(line.decode())


def _take_header(state: RunState, batch: Batch, record: Record, time: int) -> None:
    version = record.get("journal_version")
    if isinstance(version, int) and version > JOURNAL_VERSION and state.position == 0:
        raise FutureJournalError(version)
    if version != JOURNAL_VERSION:
        raise ValueError("no journal_version")
    if record.get("uid") != state.uid:
        raise ValueError(f"its uid is not {state.uid}, the name of its folder")
    row = {
        "name": fields.optional_text(record, "name") or state.uid,
        "spec_toml": fields.optional_text(record, "spec_toml"),
        "spec_digest": fields.optional_text(record, "spec_digest"),
        "training_digest": fields.optional_text(record, "training_digest"),
        "contract": fields.optional_text(record, "contract"),
        "parent": fields.optional_text(record, "parent"),
        "spec_version": fields.optional_integer(record, "spec_version"),
        "seed": fields.optional_integer(record, "seed", most=fields.INT64_MAX),
        "target": fields.optional_integer(record, "iterations"),
        "spec": fields.optional_json(record, "spec"),
        "started": time,
    }
    tags = record.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError("tags are not a list of strings")
    params = list(fields.flatten(record.get("spec") or {}))
    state.run.update(row)
    state.params = params
    for tag in tags:
        _tag(state, tag)


def _take_attempt(state: RunState, batch: Batch, record: Record, time: int) -> None:
    row = dict.fromkeys(columns_of("attempts"))
    provenance: dict[str, Any] = {
        **{name: fields.optional_text(record, name) for name in _PROVENANCE_TEXT},
        **{name: fields.optional_json(record, name) for name in _PROVENANCE_JSON},
        **{name: fields.optional_integer(record, name) for name in _PROVENANCE_COUNT},
        "git_dirty": fields.optional_flag(record, "git_dirty"),
        "pid": fields.optional_integer(record, "pid", most=fields.INT64_MAX),
    }
    number, start = fields.integer(record, "attempt"), fields.integer(record, "start_iter")
    target = fields.optional_integer(record, "iterations")
    spec = record.get("spec")
    changed = fields.optional_json(record, "spec")
    digests = {
        name: value
        for name in ("spec_toml", "spec_digest", "training_digest")
        if (value := fields.optional_text(record, name)) is not None
    }
    params = list(fields.flatten(spec)) if isinstance(spec, dict) else None
    row.update(provenance)
    row.update(run_id=state.run_id, attempt=number, start_iter=start, target=target)
    row.update(status="running", iterations=start, spec=changed, started=time)
    state.start_attempt(row)
    state.run.update(provenance, **digests)
    state.run.update(status="running", iterations=start, attempts=number)
    state.run.update(ended=None, exit_reason=None, digest=None)
    if state.run["started"] is None:
        state.run["started"] = time
    if params is not None:
        state.params = params
        state.run["spec"] = changed
        if isinstance(spec, dict) and isinstance(iterations := spec.get("iterations"), int):
            state.run["target"] = min(max(iterations, 0), fields.INT32_MAX)


def _take_keys(state: RunState, batch: Batch, record: Record, time: int) -> None:
    listed = record.get("keys")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise ValueError("keys are not a list of tables")
    described = [
        (
            fields.text(item, "name"),
            {name: fields.optional_text(item, name) for name in ("dtype", "unit", "doc", "phase")},
            fields.optional_flag(item, "wall_clock"),
        )
        for item in listed
    ]
    for name, texts, wall_clock in described:
        state.key_row(name).update(texts, wall_clock=wall_clock)
    state.keys_changed = True


def _take_checkpoint(state: RunState, batch: Batch, record: Record, time: int) -> None:
    kind, iteration = fields.text(record, "type"), fields.integer(record, "iteration")
    found = {
        "run_id": state.run_id,
        "attempt": fields.integer(record, "attempt"),
        "iteration": iteration,
        "kind": kind,
        "state": fields.text(record, "state"),
        "path": fields.optional_text(record, "path"),
        "bytes": fields.optional_integer(record, "bytes", most=fields.INT64_MAX),
        "sha256": fields.optional_text(record, "sha256"),
        "score": fields.optional_number(record, "score"),
        "seconds": fields.optional_number(record, "seconds"),
        "blocking_seconds": fields.optional_number(record, "blocking_seconds"),
        "error": fields.optional_text(record, "error"),
        "time": time,
    }
    fields.optional_text(record, "digest")
    # As the journal has them: a score that is not finite stays a text, which JSON can hold.
    payload = fields.dump({name: record.get(name) for name in _CHECKPOINT_EVENT})
    event = (found["attempt"], iteration, time, f"checkpoint_{found['state']}")
    batch.add("events", state.run_id, *event, payload)
    before = state.checkpoints.get((kind, iteration))
    if before is not None and found["state"] != "begun":
        known = {name: value for name, value in found.items() if value is not None}
        found = {**before, **known}
    state.checkpoints[kind, iteration] = found
    state.changed_checkpoints.add((kind, iteration))


def _take_event(state: RunState, batch: Batch, record: Record, time: int) -> None:
    attempt = fields.optional_integer(record, "attempt")
    iteration = fields.optional_integer(record, "iter")
    name, payload = fields.text(record, "name"), fields.optional_json(record, "payload")
    batch.add("events", state.run_id, attempt, iteration, time, name, payload)


def _take_tag(state: RunState, batch: Batch, record: Record, time: int) -> None:
    _tag(state, fields.text(record, "tag"))


def _take_untag(state: RunState, batch: Batch, record: Record, time: int) -> None:
    tag = fields.text(record, "tag")
    if tag in state.tags:
        state.tags.remove(tag)
        state.tags_changed = True


def _take_note(state: RunState, batch: Batch, record: Record, time: int) -> None:
    batch.add("notes", state.run_id, time, fields.text(record, "text"))


def _take_end(state: RunState, batch: Batch, record: Record, time: int) -> None:
    ending = {
        "status": fields.text(record, "status"),
        "exit_reason": fields.optional_text(record, "exit_reason"),
        "digest": fields.optional_text(record, "digest"),
        "ended": time,
    }
    iterations = fields.optional_integer(record, "iterations")
    if iterations is not None:
        ending["iterations"] = iterations
    fields.optional_integer(record, "attempt")
    state.run.update(ending)
    if state.attempt is not None and record.get("attempt") == state.attempt["attempt"]:
        state.attempt.update(ending)


def _take_unknown(state: RunState, batch: Batch, record: Record, time: int) -> None:
    """Keep a record of a kind that this jaxpot does not know as an event: nothing is lost."""
    attempt = state.attempt["attempt"] if state.attempt else None
    batch.add("events", state.run_id, attempt, None, time, UNKNOWN, fields.dump(record))


def _tag(state: RunState, tag: str) -> None:
    if tag not in state.tags:
        state.tags.add(tag)
        state.tags_changed = True


def _reason(error: BaseException) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg}"
    if isinstance(error, UnicodeError):
        return "not UTF-8 text"
    if isinstance(error, RecursionError):
        return "nested too deep"
    return str(error)


_Taker = Callable[[RunState, Batch, Mapping[str, Any], int], None]

_TAKERS: dict[str, _Taker] = {
    "header": _take_header,
    "attempt": _take_attempt,
    "keys": _take_keys,
    "payload": take_payload,
    "digests": take_digests,
    "histogram": take_histogram,
    "standings": take_standings,
    "checkpoint": _take_checkpoint,
    "event": _take_event,
    "tag": _take_tag,
    "untag": _take_untag,
    "note": _take_note,
    "end": _take_end,
}
