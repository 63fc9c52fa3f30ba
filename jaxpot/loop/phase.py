"""Phases and fields, which a phase graph is made of, as plain data."""

from collections.abc import Callable
from typing import Any, Literal

import attrs

from jaxpot.spec.keys import EVERY_ITERATION, Cadence, PayloadKey

Implementation = str | Callable[..., Any]
"""A function, or `"module:function"`, which is imported when it is needed."""

State = dict[str, Any]
"""The training state by field. Never changed in place: a program takes one and returns the next."""

SHUFFLE, DROPOUT, SEARCH = "shuffle", "dropout", "search"
"""Named random streams, next to `init` and each evaluator's."""


def stream_value(name: str) -> str:
    """Return the name under which a phase is given the key of the stream `name`."""
    return f"stream.{name}"


@attrs.frozen(kw_only=True)
class Field:
    """One named part of the training state, which is kept from iteration to iteration.

    Attributes:
        name: The name that phases use.
        init: Implementation `(context, values, root_key) -> value`; `values` has the fields before
            it.
        digested: Whether the state's digest covers it.
        guarded: Whether a non-finite update leaves it unchanged.
        finite: Whether a value in it that is not finite makes the update a non-finite one.
        doc: A description in one sentence.
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

    A device phase is a pure function. It is given exactly the values that it reads, and must return
    exactly the values that it writes and the metrics that it declares; tracing enforces both. The
    phases of the iteration are traced together into one program, in order. A device phase with a
    cadence is a program that the host runs: an evaluator (`"own"`), or a phase that runs between
    two iterations, after the checkpoint (`"between"`).

    A host phase is Python. Host phases before the first device phase run before the iteration is
    dispatched; the others run, in the graph's order, once its metrics are fetched.

    Attributes:
        name: Unique name; programs, timers and `plan` use it.
        where: `"device"` for traced phases, `"host"` for Python.
        program: `"iteration"`, `"own"` or `"between"`; by default `"iteration"` for device phases.
            Host phases have none, unless they run between two iterations.
        cadence: When it runs. A condition in it changes only at evaluations, and makes a regime.
        reads: Values that it is given: fields, and what earlier phases of the iteration wrote.
        reads_if_present: Values that it is given where an earlier phase of this regime wrote them.
        writes: Values that it returns.
        covers: `"digested"` to read every digested field, `"guarded"` to read and write every
            guarded one, those that are added to the graph later included.
        unchecked: Fields that the guard covers and that may hold any float.
        streams: Named random streams; the key of each is the value `stream_value(name)`.
        timer: Payload key of its time; None for no timer.
        keys: Payload keys that it emits; a device phase returns their values.
        helpers: Programs that it compiles next to its main one, by name.
        collects: For a collector, its name under `[collect]`. It is part of the regimes' names, and
            its time counts as collecting.
        waits: Whether the host must run it before it dispatches the next iteration: it needs the
            state at its iteration.
        implementation: `(context, phase) -> function`, with `function(values) -> (writes,
            metrics)`. On the device it is traced; on the host it is given numpy arrays, and may
            also read `payload`, the metrics so far.
        host: How the host runs it: `(attempt, phase) -> function`, with `function(row) -> None`.
            None for phases of the iteration's program, and for the default: run the
            implementation, keep what it writes to the state, and log its metrics.
        doc: What it does, in one sentence.
    """

    name: str
    where: Literal["device", "host"] = "device"
    program: Literal["iteration", "own", "between"] | None = attrs.Factory(
        lambda self: "iteration" if self.where == "device" else None, takes_self=True
    )
    cadence: Cadence = EVERY_ITERATION
    reads: tuple[str, ...] = ()
    reads_if_present: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    covers: Literal["digested", "guarded"] | None = None
    unchecked: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    timer: str | None = None
    keys: tuple[PayloadKey, ...] = ()
    helpers: tuple[str, ...] = ()
    collects: str | None = None
    waits: bool = False
    implementation: Implementation | None = None
    host: Implementation | None = None
    doc: str = ""
