"""The records of a run's journal, one class a kind.

A line of the journal is one record as JSON, its `kind` first. The types say which values the reader
accepts: each fits its column in the database, so that no line can make the database refuse a batch.
A field that is missing, or null, is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec

JOURNAL_VERSION = 1
JOURNAL_NAME = "journal.jsonl"

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
LAST_ITERATION = INT32_MAX - 1
"""The highest iteration: the number of iterations up to it still fits an int32."""

UNDATED = -1.0
"""The time of a record that is not written yet; the writer sets the present."""

_YEAR_9999 = 253_402_300_799.0

Time = Annotated[float, msgspec.Meta(ge=0, le=_YEAR_9999)]
"""Seconds since 1970."""

Int32 = Annotated[int, msgspec.Meta(ge=0, le=INT32_MAX)]
Int64 = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
Iteration = Annotated[int, msgspec.Meta(ge=0, le=LAST_ITERATION)]

NotFinite = Literal["NaN", "Infinity", "-Infinity"]
"""How a journal writes the floats that JSON does not have; `float` reads them."""

Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=INT64_MAX)] | float | bool | NotFinite
Table = dict[str, Any]
"""A JSON object of any content, nested at most `read.MAX_DEPTH` levels."""


class Record(msgspec.Struct, tag_field="kind", kw_only=True, omit_defaults=True):
    """What every record has."""

    kind: ClassVar[str]
    time: Time = UNDATED


class Header(Record, tag="header"):
    """The first record: what is run."""

    journal_version: int
    uid: str
    name: str | None = None
    spec: Table | None = None
    spec_toml: str | None = None
    spec_digest: str | None = None
    training_digest: str | None = None
    spec_version: Int32 | None = None
    seed: Int64 | None = None
    iterations: Int32 | None = None
    tags: list[str] | None = None
    contract: str | None = None
    rows: str | None = None
    parent: str | None = None
    parent_sha256: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        if self.name is None:
            self.name = self.uid


class Attempt(Record, tag="attempt"):
    """A process starts or resumes the run.

    Attributes:
        iterations: Iterations in all at which the attempt stops.
        chosen: The checkpoint that the user chose to resume from; `from` in the journal.
        spec: The resolved spec, if it differs from the previous attempt's.
    """

    attempt: Int32
    start_iter: Iteration
    iterations: Int32 | None = None
    chosen: str | None = msgspec.field(default=None, name="from")
    spec: Table | None = None
    spec_toml: str | None = None
    spec_digest: str | None = None
    training_digest: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    git_problem: str | None = None
    versions: Table | None = None
    platform: str | None = None
    device_kind: str | None = None
    device_count: Int32 | None = None
    os: str | None = None
    arch: str | None = None
    python: str | None = None
    isa: str | None = None
    nproc: Int32 | None = None
    xla_flags: str | None = None
    environ: Table | None = None
    host: str | None = None
    pid: Int64 | None = None
    argv: list[Any] | None = None
    contract: str | None = None
    rows: str | None = None


class Key(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A payload key that an attempt declares; its fields are those of `jaxpot.spec.PayloadKey`."""

    name: str
    dtype: str | None = None
    unit: str | None = None
    doc: str | None = None
    phase: str | None = None
    every: int | None = None
    start: int | None = None
    until: int | None = None
    when: str | None = None
    wall_clock: bool | None = None


class Keys(Record, tag="keys"):
    """The payload keys that an attempt declares."""

    keys: list[Key]
    attempt: Int32 | None = None


class Payload(Record, tag="payload", gc=False):
    """The metrics of one iteration."""

    attempt: Int32
    iter: Iteration
    values: Mapping[str, Number]
    digest: str | None = None


class Digests(Record, tag="digests"):
    """Digests of the state's leaves, or of the phases' outputs, after an iteration."""

    attempt: Int32
    iter: Iteration
    scope: str
    values: dict[str, str]


class Histogram(Record, tag="histogram"):
    """Counts of an evaluator."""

    attempt: Int32
    iter: Iteration
    name: str
    counts: list[Int64]


class Standing(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One opponent of the league or of its archive."""

    name: str
    place: str | None = None
    score: Number | None = None
    rollouts: Int64 | None = None
    active: bool | None = None


class Standings(Record, tag="standings"):
    """The league and its archive after an iteration, the strongest first."""

    attempt: Int32
    iter: Iteration
    standings: list[Standing]


class Checkpoint(Record, tag="checkpoint"):
    """A stage of a save: begun, committed, deleted or failed."""

    attempt: Int32
    iteration: Int32
    type: str
    state: str
    path: str
    bytes: Int64 | None = None
    digest: str | None = None
    sha256: str | None = None
    score: Number | None = None
    seconds: Number | None = None
    blocking_seconds: Number | None = None
    error: str | None = None

    @classmethod
    def of(cls, stage: Mapping[str, Any], *, attempt: int) -> Checkpoint:
        """Return the record of a stage that `jaxpot.checkpoints` reports."""
        fields = {name: value for name, value in stage.items() if name != "kind"}
        return cls(**{**fields, "attempt": attempt})


class Event(Record, tag="event"):
    """Anything else that happened, by its name; `docs/store.md` lists them."""

    name: str
    attempt: Int32 | None = None
    iter: Iteration | None = None
    payload: Table | None = None


class Tag(Record, tag="tag"):
    """Somebody added a tag."""

    tag: str


class Untag(Record, tag="untag"):
    """Somebody removed a tag."""

    tag: str


class Note(Record, tag="note"):
    """Somebody added a note."""

    text: str


class End(Record, tag="end"):
    """An attempt ended."""

    status: str
    attempt: Int32 | None = None
    exit_reason: str | None = None
    iterations: Int32 | None = None
    digest: str | None = None


class Unknown(Record, tag=None):
    """A record of a kind that only a newer jaxpot knows; `fields` is all of its line."""

    fields: Table


KINDS: dict[str, type[Record]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        *(Header, Attempt, Keys, Payload, Digests, Histogram, Standings, Checkpoint, Event),
        *(Tag, Untag, Note, End),
    )
}
"""The class of each kind of record."""

for _name, _kind in KINDS.items():
    _kind.kind = _name

ANNOTATIONS = (Tag, Untag, Note)
"""Records that people add to a journal."""


def as_dict(record: Record) -> dict[str, Any]:
    """Return a record as the journal's JSON has it, with None for what is not known."""
    if isinstance(record, Unknown):
        return dict(record.fields)
    fields = dict.fromkeys(record.__struct_encode_fields__)
    return {"kind": record.kind, **fields, **msgspec.to_builtins(record)}
