"""The state of a training process: its programs, and the iterations on their way to the journal."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import jax
import numpy as np

from jaxpot.loop.clock import Clock
from jaxpot.loop.context import Context, resolve
from jaxpot.loop.graph import PhaseGraph, Regime
from jaxpot.loop.league import LeagueKeeper
from jaxpot.loop.lower import (
    Given,
    IterationOutput,
    build_phase,
    evaluation_inputs,
    group_inputs,
    require_same,
    split_state,
    start_values,
)
from jaxpot.loop.phase import Phase, State, stream_value
from jaxpot.loop.plan import step_groups
from jaxpot.loop.programs import Programs
from jaxpot.loop.recorder import Recorder
from jaxpot.loop.saving import Saver
from jaxpot.loop.streams import IMPLEMENTATION, stream_key
from jaxpot.signals import StopRequest
from jaxpot.spec.keys import Cadence

# Metrics are fetched about twice a second, so that a row is at most about a second late.
_FETCH_SECONDS = 0.4
_MAX_CHUNK = 4096


class NonFiniteUpdateError(Exception):
    """An update was not finite; the state before it is kept.

    Attributes:
        iteration: The iteration of the update, which is also how many were done before it.
    """

    def __init__(self, iteration: int) -> None:
        super().__init__(f"the update of iteration {iteration} is not finite")
        self.iteration = iteration


@attrs.define(kw_only=True, eq=False)
class Row:
    """One iteration on its way from the device to the journal; host phases fill it in.

    Attributes:
        iteration: Its number, from 0.
        regime: Its regime.
        output: The `IterationOutput` that its program left on the device.
        words: Its words, fetched.
        stepped: Whether its phases were run and timed one by one.
        leaf_digests: Of the state, `[L, 2]` uint32, if it was stepped.
        phase_digests: Of what each timed phase wrote, if it was stepped.
        timings: Seconds by payload key.
        transfer_seconds: How long the fetch took that brought it.
        seconds: How long it took, with the phases that ran for it.
        metrics: Payload values so far.
        digest: The state's, `[2]` uint32.
        histograms: Counts by name.
    """

    iteration: int
    regime: Regime
    output: Any = None
    words: Any = None
    stepped: bool = False
    leaf_digests: Any = None
    phase_digests: dict[str, Any] = attrs.field(factory=dict)
    timings: dict[str, float] = attrs.field(factory=dict)
    transfer_seconds: float = 0.0
    seconds: float = 0.0
    metrics: dict[str, Any] = attrs.field(factory=dict)
    digest: Any = None
    histograms: dict[str, Any] = attrs.field(factory=dict)

    def digests(self) -> Any:
        """Return the digests to fetch: only those of a stepped iteration are recorded."""
        return (self.output.leaf_digests, self.phase_digests) if self.stepped else ()


HostFunction = Callable[[Row], None]
"""A phase as the host runs it."""


@attrs.define(kw_only=True, eq=False)
class Attempt:
    """The state of one process that trains one run; the loop and its host phases share it.

    Attributes:
        state: The training state after `done` iterations.
        root_key: The run's key, as two uint32 on the device.
        done: Iterations done.
        iteration: The iteration that comes next.
    """

    graph: PhaseGraph
    context: Context
    programs: Programs
    folder: Path
    state: State
    root_key: Any
    recorder: Recorder
    saver: Saver
    league: LeagueKeeper
    clock: Clock
    stop: StopRequest
    done: int
    iteration: int = attrs.field(init=False)
    _functions: Mapping[str, HostFunction] = attrs.field(init=False)
    _pending: list[Row] = attrs.field(factory=list, init=False)
    _since_fetch: int = attrs.field(default=0, init=False)
    _chunk: int = attrs.field(default=1, init=False)

    def __attrs_post_init__(self) -> None:
        self.iteration = self.done
        default = {"device": run_program, "host": run_on_host}
        self._functions = {
            phase.name: resolve(phase.host or default[phase.where])(self, phase)
            for phase in (*self.graph.before, *self.graph.after, *self.graph.between)
        }

    def row(self, iteration: int) -> Row:
        regime = self.graph.regime_at(max(iteration, 0), self.league.conditions)
        return Row(iteration=iteration, regime=regime)

    def run(self, phases: Iterable[Phase], row: Row) -> None:
        """Run those of the host's phases that are due at the row's iteration, in order."""
        for phase in phases:
            if phase.cadence.fires(row.iteration):
                self._functions[phase.name](row)

    def dispatch(self, row: Row) -> None:
        """Start an iteration on the device; what it leaves there is fetched later."""
        if self._profiled(row.iteration):
            self._step(row)
        else:
            row.output = self._iterate(row.regime)
        self._pending.append(row)
        self._since_fetch += 1
        self.done = row.iteration + 1

    def fetch(self, *, everything: bool = True) -> list[Row]:
        """Fetch iterations in one transfer: all of them, or those before the newest chunk.

        The chunk before the newest is ready or nearly so, and the newest keeps the device busy
        meanwhile.
        """
        if not everything and self._since_fetch < self._chunk:
            return []
        count = len(self._pending) - (0 if everything else self._since_fetch)
        self._since_fetch = 0
        rows, self._pending = self._pending[:count], self._pending[count:]
        if not rows:
            return []
        started = time.perf_counter()
        fetched = jax.device_get([(row.output.words, row.digests()) for row in rows])
        transfer = time.perf_counter() - started
        seconds = self.clock.lap() / count
        self._chunk = max(1, min(_MAX_CHUNK, int(_FETCH_SECONDS / seconds)))
        for row, (words, digests) in zip(rows, fetched, strict=True):
            row.words, row.seconds, row.transfer_seconds = words, seconds, transfer
            if row.stepped:
                row.leaf_digests, row.phase_digests = digests
        return rows

    def waits_before(self, row: Row) -> bool:
        """Return whether what was dispatched must be recorded before this iteration.

        It must not be held up by a compile, nor be timed together with what follows.
        """
        if self._profiled(row.iteration) or not self.programs.iteration(row.regime).compiles:
            return True
        return any(phase.cadence.fires(row.iteration) for phase in self.graph.before)

    def waits_after(self, iteration: int) -> bool:
        """Return whether the host needs the state after this iteration."""
        if self._profiled(iteration) or self.saver.fires(iteration):
            return True
        phases = (*self.graph.after, *self.graph.between)
        return any(phase.waits and phase.cadence.fires(iteration) for phase in phases)

    def settle(self) -> bool:
        """Record what was dispatched, after a failure; return whether the state still exists."""
        for row in self.fetch():
            self.run(self.graph.after, row)
        leaves = jax.tree.leaves(self.state)
        return not any(isinstance(leaf, jax.Array) and leaf.is_deleted() for leaf in leaves)

    def _profiled(self, iteration: int) -> bool:
        every = self.graph.profile_every
        return bool(every) and Cadence(every).fires(iteration)

    def _iterate(self, regime: Regime) -> IterationOutput:
        changing, fixed = split_state(self.graph, regime, self.state)
        program = self.programs.iteration(regime)
        changed, output = program(changing, fixed, self.root_key)
        self.state = fixed | changed
        return output

    def _step(self, row: Row) -> None:
        """Run one iteration phase by phase, and time each phase.

        On a CPU the phases' programs give the bits of the one program, so the stepped iteration
        is the iteration. On other devices it is run on the side, and its results are dropped.
        """
        values = start_values(self.state, self.root_key)
        metrics: dict[str, Any] = {}
        written: dict[str, Any] = {}
        collecting = 0.0
        for (last, program), (_, phases) in zip(
            self.programs.steps(row.regime), step_groups(row.regime), strict=True
        ):
            given = group_inputs(phases, values)
            (writes, emitted), took = self.timed(lambda p=program, g=given: p(g))
            values.update(writes)
            metrics.update(emitted)
            if last.timer is not None:
                row.timings[last.timer] = took
                written[last.name] = writes
                collecting += took if last.collects else 0.0
        row.stepped = True
        row.phase_digests = self.programs.phase_digests(row.regime)(written)
        self.clock.profiled(collecting, sum(row.timings.values()) - collecting)
        if jax.default_backend() == "cpu":
            changed, row.output = self.programs.finish(row.regime)(values, metrics)
            self.state = self.state | changed
        else:
            row.output = self._iterate(row.regime)

    def timed(self, call: Callable[[], Any]) -> tuple[Any, float]:
        """Call, wait for the result, and return it with the seconds, without those of compiling."""
        compiling = self.clock.seconds["compile"]
        started = time.perf_counter()
        result = jax.block_until_ready(call())
        took = time.perf_counter() - started
        return result, took - (self.clock.seconds["compile"] - compiling)


def run_program(attempt: Attempt, phase: Phase) -> HostFunction:
    """Run a device phase that is a separate program, and keep what it returns.

    What it writes to fields goes into the state, its metrics into the row.
    """
    constants: dict[str, object] = {}
    if phase.name in attempt.context.evaluators:
        constants |= jax.device_put(dict(attempt.context.constants(phase.name)))

    def run(row: Row) -> None:
        program = attempt.programs.evaluation(phase)
        now = jax.device_put(np.int32(row.iteration))
        given = evaluation_inputs(phase, constants, attempt.state, attempt.root_key, now)

        def call() -> Any:
            output = program(given)
            return output[0], jax.device_get(output)

        (on_device, (writes, emitted)), took = attempt.timed(call)
        attempt.clock.spent("evaluate", took)
        changed = {name: x for name, x in on_device.items() if name in attempt.state}
        attempt.state = attempt.state | changed
        if "league" in writes:
            attempt.league.evaluated(row.iteration, writes["league"])
        row.seconds += took
        if phase.timer is not None:
            row.timings[phase.timer] = took
        row.metrics |= {name: x.item() for name, x in emitted.items()}
        row.histograms |= writes.get("histograms", {})

    return run


def run_on_host(attempt: Attempt, phase: Phase) -> HostFunction:
    """Run a user's host phase, and keep what it returns.

    It is given the fields that it reads as numpy arrays, the keys of its streams, `iteration` (the
    one that has just ended) and, if it asks for it, the `payload` so far. What it writes to a field
    is copied to the device.
    """
    function = build_phase(phase, attempt.context)
    fields = [name for name in phase.reads if name in attempt.state]
    dtypes = {key.name: int if key.dtype == "int" else float for key in phase.keys}
    dtypes.pop(phase.timer or "", None)

    def run(row: Row) -> None:
        given = {name: jax.device_get(attempt.state[name]) for name in fields}
        given["iteration"] = np.int32(row.iteration)
        if "payload" in phase.reads:
            given["payload"] = {"iter": row.iteration, **row.metrics}
        root = jax.random.wrap_key_data(attempt.root_key, impl=IMPLEMENTATION)
        for name in phase.streams:
            given[stream_value(name)] = stream_key(root, name, row.iteration)
        (writes, metrics), took = attempt.timed(lambda: function(Given(phase, given)))
        attempt.clock.spent("phases", took)
        require_same(phase, "writes", set(writes), set(phase.writes))
        require_same(phase, "emits", set(metrics), set(dtypes))
        attempt.state = attempt.state | jax.device_put(dict(writes))
        row.metrics |= {name: dtypes[name](value) for name, value in metrics.items()}
        row.seconds += took
        if phase.timer is not None:
            row.timings[phase.timer] = took

    return run
