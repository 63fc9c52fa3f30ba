"""Phases, fields and cadences: the vocabulary of a phase graph, as plain data."""

from collections.abc import Callable
from typing import Any, Literal

import attrs

from jaxpot.spec.configs.league import AddSchedule
from jaxpot.spec.payload import PayloadKey

Implementation = str | Callable[..., Any]
"""`"module:function"`, imported when the graph is lowered, or the function itself."""


SHUFFLE, DROPOUT, SEARCH = "shuffle", "dropout", "search"
"""Named random streams, beside `init` and each evaluator's own."""


def stream_value(name: str) -> str:
    """Returns what a phase's value is called that is the key of the stream `name`."""
    return f"stream.{name}"


def carried_field(collector: str) -> str:
    """Returns the name of the field that holds a collector's games from iteration to iteration."""
    return f"{collector}_lanes"


@attrs.frozen
class Cadence:
    """When a phase runs: every `every` iterations, from `start` until before `until`."""

    every: int = 1
    start: int = 0
    until: int | None = None

    def fires(self, iteration: int) -> bool:
        """Says whether the phase runs at `iteration`, counted from 0."""
        return self.in_window(iteration) and (iteration + 1) % self.every == 0

    def in_window(self, iteration: int) -> bool:
        """Says whether `iteration` lies in `[start, until)`."""
        return self.start <= iteration and (self.until is None or iteration < self.until)

    def __str__(self) -> str:
        text = "every iteration" if self.every == 1 else f"every {self.every}"
        if self.until is not None:
            text += f", iterations {self.start}..{self.until - 1}"
        elif self.start:
            text += f", from iteration {self.start}"
        return text


@attrs.frozen(kw_only=True)
class Field:
    """One named part of the training state, which lives from iteration to iteration.

    Attributes:
        name: What phases call it.
        init: Implementation `(context, values) -> value`; `values` holds the fields before it.
        digested: Whether the state's digest covers it.
        guarded: Whether a non-finite update leaves it as it was.
        finite: Whether a value in it that is not finite makes the update a non-finite one.
        doc: What it is.
    """

    name: str
    init: Implementation
    digested: bool = True
    guarded: bool = True
    finite: bool = True
    doc: str = ""


@attrs.frozen(kw_only=True)
class Phase:
    """One step of an iteration.

    A device phase is a pure function that is handed exactly the values it reads and must give
    back exactly the values it writes and the metrics it declares; tracing enforces it. A phase
    with a cadence of its own is a program of its own: `"own"`, as evaluators are, or `"between"`,
    run after the iteration is saved. The others are traced together into the iteration's program,
    in order.

    Attributes:
        name: Unique name; programs, timers and `plan` use it.
        where: `"device"` for traced phases, `"host"` for the runner's own.
        program: `"iteration"`, `"own"` or `"between"`; host phases have none.
        cadence: When it runs.
        when: A condition of the run's state on which it runs; what holds changes at evaluations
            only, and makes a regime.
        reads: Values it is given: fields, and what earlier phases of the iteration wrote.
        reads_if_present: Values that it is given where an earlier phase of this regime wrote them.
        writes: Values it gives back.
        covers: Which fields a phase is about by their marks, so that a field that is added to the
            graph joins what it reads (`"digested"`) or also writes (`"guarded"`).
        unchecked: Of those that the guard writes, the fields in which any float is allowed.
        streams: Named random streams, each handed over as the value `stream_value(name)`.
        timer: Payload key of its time, None for none.
        keys: Payload keys that it emits; a device phase returns their values.
        helpers: Programs that it compiles beside its own, by name.
        implementation: `(context, phase) -> function`, and that `(values) -> (writes,
            metrics)`.
        doc: What it does, in a sentence.
    """

    name: str
    where: Literal["device", "host"]
    program: Literal["iteration", "own", "between"] | None = None
    cadence: Cadence | AddSchedule = Cadence()
    when: str | None = None
    reads: tuple[str, ...] = ()
    reads_if_present: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    covers: Literal["digested", "guarded"] | None = None
    unchecked: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    timer: str | None = None
    keys: tuple[PayloadKey, ...] = ()
    helpers: tuple[str, ...] = ()
    implementation: Implementation | None = None
    doc: str = ""
