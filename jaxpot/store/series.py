"""Rows of what a run records by iteration: its metrics, digests, histograms and standings.

As in `jaxpot.store.lines`, a function checks everything it takes before it adds anything.
"""

from __future__ import annotations

from array import array

from jaxpot.store import fields
from jaxpot.store.batch import Batch
from jaxpot.store.fields import Record
from jaxpot.store.state import RunState


def take_payload(state: RunState, batch: Batch, record: Record, time: int) -> None:
    """Take in an iteration's metrics."""
    attempt, iteration = fields.integer(record, "attempt"), fields.integer(record, "iter")
    digest = fields.optional_text(record, "digest")
    values = fields.mapping(record, "values")
    names = tuple(values)
    ids = state.key_ids.get(names)
    if ids is None:
        for name in names:
            name.encode()
    mark = len(batch.value)
    try:
        batch.value.extend(values.values())
    except (TypeError, OverflowError):  # a NaN, say, which a journal spells as a string
        del batch.value[mark:]
        batch.value.extend([fields.number(value) for value in values.values()])
    if ids is None:
        ids = array("i", [state.key_row(name)["key_id"] for name in names])
        state.key_ids[names] = ids
    batch.add_payload((state.run_id, attempt, iteration), time, digest, ids)
    state.run["iterations"] = iteration + 1
    if state.attempt is not None:
        state.attempt["iterations"] = iteration + 1


def take_digests(state: RunState, batch: Batch, record: Record, time: int) -> None:
    """Take in digests of the state's leaves or of the phases' outputs."""
    attempt, iteration = fields.integer(record, "attempt"), fields.integer(record, "iter")
    scope, values = fields.text(record, "scope"), fields.mapping(record, "values")
    digests = [(name, fields.text(values, name)) for name in values]
    for name, digest in digests:
        batch.add("digests", state.run_id, attempt, iteration, scope, name, digest)


def take_histogram(state: RunState, batch: Batch, record: Record, time: int) -> None:
    """Take in a histogram."""
    attempt, iteration = fields.integer(record, "attempt"), fields.integer(record, "iter")
    name, counts = fields.text(record, "name"), record.get("counts")
    if not isinstance(counts, list):
        raise ValueError("counts are not a list")
    for index in range(len(counts)):
        fields.integer({"count": counts[index]}, "count", most=fields.INT64_MAX)
    batch.add("histograms", state.run_id, attempt, iteration, name, counts)


def take_standings(state: RunState, batch: Batch, record: Record, time: int) -> None:
    """Take in what the league and its archive held."""
    attempt, iteration = fields.integer(record, "attempt"), fields.integer(record, "iter")
    listed = record.get("standings")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise ValueError("standings are not a list of tables")
    rows = [
        (
            fields.text(item, "name"),
            fields.optional_text(item, "place"),
            fields.optional_number(item, "score"),
            fields.optional_integer(item, "rollouts", most=fields.INT64_MAX),
            fields.optional_flag(item, "active"),
        )
        for item in listed
    ]
    for row in rows:
        batch.add("league_standings", state.run_id, attempt, iteration, *row)
