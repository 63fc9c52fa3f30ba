"""The records: a journal of version 1 reads as it was written, and writes as it reads."""

import json
import math
import random
import struct
from pathlib import Path
from typing import Any

import pytest

from jaxpot import journal
from jaxpot.journal.records import INT64_MAX

OLD = Path(__file__).with_name("version_1.jsonl")
"""A run of Connect Four, recorded when journals were written by `json.dumps`."""


def known(value: Any) -> Any:
    """Gives a value without the fields that say nothing."""
    if isinstance(value, dict):
        return {key: known(item) for key, item in value.items() if item is not None}
    return [known(item) for item in value] if isinstance(value, list) else value


def test_an_old_journal_is_read_whole():
    lines = OLD.read_bytes().splitlines()
    found = list(journal.records(OLD))
    assert len(found) == len(lines) == 13
    for line, record in zip(lines, found, strict=True):
        # Text tells the bits of floats apart, and 1 from 1.0.
        assert repr(known(json.loads(line))) == repr(
            {key: known(journal.as_dict(record))[key] for key in known(json.loads(line))}
        )


def test_an_old_journal_is_written_as_it_was_read():
    for record in journal.records(OLD):
        line = journal.line_of(record, OLD)
        assert repr(journal.parse(line)) == repr(record)


def test_where_an_old_run_stands(tmp_path):
    (tmp_path / "journal.jsonl").write_bytes(OLD.read_bytes())
    found = journal.read_record(tmp_path)
    assert (found.attempt, found.done, found.nproc, found.finished) == (1, 4, 2, True)
    assert found.digest == "55ce887e263120f3"
    assert found.checkpoint == "20261201-024420-111594/checkpoints/000004"
    assert found.provenance["environ"] is None
    assert found.last()["num_episodes"] == 557


def test_every_double_of_a_payload_keeps_its_bits():
    draw = random.Random(0)
    drawn = (struct.unpack("<d", draw.randbytes(8))[0] for _ in range(20_000))
    values = {str(n): x for n, x in enumerate(drawn) if math.isfinite(x)}
    found = journal.parse(journal.line_of(journal.Payload(attempt=1, iter=0, values=values), OLD))
    assert isinstance(found, journal.Payload)
    assert repr(found.values) == repr(values)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_a_word(value):
    made = journal.Payload(attempt=1, iter=0, values={"a": value, "b": 1})
    found = journal.parse(journal.line_of(made, OLD))
    assert isinstance(found, journal.Payload)
    assert found.values["a"] in ("NaN", "Infinity", "-Infinity")
    assert repr(float(found.values["a"])) == repr(value)
    assert found.values["b"] == 1


def test_whole_numbers_stay_whole():
    values = {"a": INT64_MAX, "b": -(2**63), "c": 0}
    found = journal.parse(journal.line_of(journal.Payload(attempt=1, iter=0, values=values), OLD))
    assert isinstance(found, journal.Payload)
    assert found.values == values
    assert {type(value) for value in found.values.values()} == {int}


def test_fields_that_are_not_known_are_skipped():
    found = journal.parse(b'{"kind":"note","time":1.0,"text":"a","mood":{"deep":[[[1]]]}}')
    assert journal.as_dict(found) == {"kind": "note", "time": 1.0, "text": "a"}


def test_a_kind_that_is_not_known_is_kept_whole():
    found = journal.parse(b'{"kind":"smell","time":1.5,"of":"roses"}')
    assert isinstance(found, journal.Unknown)
    assert (found.time, found.fields["of"]) == (1.5, "roses")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"kind":"smell"}', "no time from 1970 to 9999"),
        (b'{"kind":"note","text":"a"}', "no time"),
        (
            b'{"kind":"event","time":1,"name":"x","payload":' + b'{"a":' * 200 + b"1" + b"}" * 201,
            "deeper than",
        ),
        (
            b'{"kind":"event","time":1,"name":"x","payload":{"a":' + b"1" * 5000 + b"}}",
            "out of range",
        ),
        (b'{"kind":"note","time":1,"text":"\xff"}', "UTF-8"),
        (b"{" * 1_000_000, "not JSON"),
        (b"[" * 1_000_000, "nested too deep"),
        (b'["\xff', "not JSON"),
    ],
)
def test_hostile_lines_are_damaged_lines(line, reason):
    with pytest.raises(ValueError, match=reason):
        journal.parse(line)
