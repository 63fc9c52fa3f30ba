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
from jaxpot.store.forms import columns_in, forms, items_in, words_in
from jaxpot.store.journal import JOURNAL_VERSION
from jaxpot.store.series import take_digests, take_histogram, take_payload, take_standings
from jaxpot.store.state import RunState
from jaxpot.store.tables import columns_of

SKIPPED = "journal_skip"
UNKNOWN = "journal_unknown"

_decode = json.JSONDecoder().decode
_PAYLOAD = b'{"kind":"payload",'  # as journals begin such a line

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
        kind = record.get("kind")
        if not isinstance(kind, str):
            raise ValueError("no kind")
        taken = _TAKERS.get(kind, _take_unknown)
        if taken is not take_payload:
            fields.fit("it", record, "payload", "JSON")
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
    row = columns_in(forms()["header"], record)
    tags = words_in(record, "tags")
    params = list(fields.flatten(row["spec"] or {}))
    row.update(name=row["name"] or state.uid, spec=_json(row["spec"]), started=time)
    state.run.update(row)
    state.params = params
    for tag in tags:
        _tag(state, tag)


def _take_attempt(state: RunState, batch: Batch, record: Record, time: int) -> None:
    found = columns_in(forms()["attempt"], record)
    number, spec = found["attempt"], found["spec"]
    if state.attempt is not None and number < state.attempt["attempt"]:
        raise ValueError(f"attempt {number} comes after attempt {state.attempt['attempt']}")
    params = None if spec is None else list(fields.flatten(spec))
    found.update({name: _json(found[name]) for name in ("spec", "versions", "argv")})
    digests = {
        name: value
        for name in ("spec_toml", "spec_digest", "training_digest")
        if (value := found.pop(name)) is not None
    }
    start = found["start_iter"]
    row = {**dict.fromkeys(columns_of("attempts")), **found, "run_id": state.run_id}
    row.update(status="running", iterations=start, started=time)
    state.start_attempt(row)
    provenance = set(columns_of("runs")) & set(found) - {"spec", "target"}
    state.run.update({name: found[name] for name in provenance}, **digests)
    state.run.update(status="running", iterations=start, attempts=number)
    state.run.update(ended=None, exit_reason=None, digest=None)
    if state.run["started"] is None:
        state.run["started"] = time
    if params is not None:
        state.params = params
        state.run["spec"] = found["spec"]
        if isinstance(iterations := (spec or {}).get("iterations"), int):
            state.run["target"] = min(max(iterations, 0), fields.INT32_MAX)


def _take_keys(state: RunState, batch: Batch, record: Record, time: int) -> None:
    form = forms()["keys"].rows["keys"]
    for row in [columns_in(form, item) for item in items_in(record, "keys")]:
        state.key_row(row["name"]).update(row)
    state.keys_changed = True


def _take_checkpoint(state: RunState, batch: Batch, record: Record, time: int) -> None:
    found = columns_in(forms()["checkpoint"], record)
    del found["digest"]  # an event's only
    found = {"run_id": state.run_id, **found, "time": time}
    kind, iteration = found["kind"], found["iteration"]
    # As the journal has them: a score that is not finite stays a text, which JSON can hold.
    payload = fields.dump({name: record.get(name) for name in _CHECKPOINT_EVENT})
    event = (found["attempt"], iteration, time, f"checkpoint_{found['state']}")
    batch.add("events", state.run_id, *event, payload)
    before = state.checkpoints.get((kind, iteration))
    if before is not None and found["state"] != "begun":
        known = {name: value for name, value in found.items() if value is not None}
        found = {**before, **known}
    state.checkpoints[kind, iteration] = {name: found[name] for name in columns_of("checkpoints")}
    state.changed_checkpoints.add((kind, iteration))


def _take_event(state: RunState, batch: Batch, record: Record, time: int) -> None:
    found = columns_in(forms()["event"], record)
    payload = _json(found["payload"])
    batch.add("events", state.run_id, found["attempt"], found["iter"], time, found["kind"], payload)


def _take_tag(state: RunState, batch: Batch, record: Record, time: int) -> None:
    _tag(state, columns_in(forms()["tag"], record)["tag"])


def _take_untag(state: RunState, batch: Batch, record: Record, time: int) -> None:
    tag = columns_in(forms()["untag"], record)["tag"]
    if tag in state.tags:
        state.tags.remove(tag)
        state.tags_changed = True


def _take_note(state: RunState, batch: Batch, record: Record, time: int) -> None:
    batch.add("notes", state.run_id, time, columns_in(forms()["note"], record)["note"])


def _take_end(state: RunState, batch: Batch, record: Record, time: int) -> None:
    ending = {**columns_in(forms()["end"], record), "ended": time}
    attempt = ending.pop("attempt")
    if ending["iterations"] is None:
        del ending["iterations"]
    state.run.update(ending)
    if state.attempt is not None and attempt == state.attempt["attempt"]:
        state.attempt.update(ending)


def _take_unknown(state: RunState, batch: Batch, record: Record, time: int) -> None:
    """Keep a record of a kind that this jaxpot does not know as an event: nothing is lost."""
    attempt = state.attempt["attempt"] if state.attempt else None
    batch.add("events", state.run_id, attempt, None, time, UNKNOWN, fields.dump(record))


def _json(value: object) -> str | None:
    return None if value is None else fields.dump(value)


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
