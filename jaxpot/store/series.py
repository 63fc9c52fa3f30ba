"""Rows of what a run records by iteration: its metrics, digests, histograms and standings.

As in `jaxpot.store.lines`, a function checks everything it takes before it adds anything.
"""

from __future__ import annotations

from array import array

from jaxpot.store import fields
from jaxpot.store.batch import Batch
from jaxpot.store.fields import Record
from jaxpot.store.forms import columns_in, forms, items_in, values_in
from jaxpot.store.state import RunState


def take_payload(state: RunState, batch: Batch, record: Record, time: int) -> None:
    """Take in an iteration's metrics."""
    head = columns_in(forms()["payload"], record)
    iteration = head["iter"]
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
    batch.add_payload((state.run_id, head["attempt"], iteration), time, head["digest"], ids)
    state.run["iterations"] = iteration + 1
    if state.attempt is not None:
        state.attempt["iterations"] = iteration + 1


def take_digests(state: RunState, batch: Batch, record: Record, time: int) -> None:
    """Take in digests of the state's leaves or of the phases' outputs."""
    form = forms()["digests"]
    head = columns_in(form, record)
    for name, digest in values_in(record, "values", form.named["values"]):
        batch.add("digests", state.run_id, *head.values(), name, digest)


def take_histogram(state: RunState, batch: Batch, record: Record, time: int) -> None:
    """Take in a histogram."""
    found = columns_in(forms()["histogram"], record)
    batch.add("histograms", state.run_id, *found.values())


def take_standings(state: RunState, batch: Batch, record: Record, time: int) -> None:
    """Take in what the league and its archive held."""
    form = forms()["standings"]
    head = columns_in(form, record)
    inner = form.rows["standings"]
    for row in [columns_in(inner, item) for item in items_in(record, "standings")]:
        batch.add("league_standings", state.run_id, *head.values(), *row.values())
