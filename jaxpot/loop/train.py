"""The training loop: what the host does around the compiled programs, in order."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import jax
import numpy as np

from jaxpot.checkpoints import CheckpointError, CheckpointWriter
from jaxpot.loop.clock import Clock
from jaxpot.loop.context import Context, resolve
from jaxpot.loop.digest import to_hex
from jaxpot.loop.environment import resume_collector
from jaxpot.loop.graph import PhaseGraph, Regime
from jaxpot.loop.league import AlteredEntryError, LeagueKeeper, recorded_at
from jaxpot.loop.lower import IterationOutput, split_state, start_values
from jaxpot.loop.memory import FAILURES, failure_text
from jaxpot.loop.phase import Phase, State
from jaxpot.loop.plan import step_groups
from jaxpot.loop.programs import Programs, group_inputs
from jaxpot.loop.record import ROWS, SUPERSEDED
from jaxpot.loop.recorder import Recorder
from jaxpot.loop.restoring import Restored
from jaxpot.loop.saving import Saver, settle
from jaxpot.loop.streams import CONTRACT, root_key_data
from jaxpot.signals import StopRequest
from jaxpot.spec import Experiment, spec_digest
from jaxpot.store.journal import JOURNAL_NAME, Journal, JournalError

DEFAULT_HOST = {
    "device": "jaxpot.loop.phases.evaluation:run_program",
    "host": "jaxpot.loop.phases.user:run_on_host",
}
"""How the host runs a phase that does not say it."""

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
        leaf_digests: Of the state, `[L, 2]` uint32, where it was stepped.
        phase_digests: Of what each timed phase wrote, likewise.
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
        """Return the digests on the device that are recorded, of a stepped iteration only."""
        return (self.output.leaf_digests, self.phase_digests) if self.stepped else ()


HostFunction = Callable[[Row], None]
"""A phase as the host runs it."""


@attrs.define(kw_only=True, eq=False)
class Attempt:
    """What the loop and its host phases share while one process trains one run.

    Attributes:
        graph: The graph.
        context: Its parts.
        programs: Its programs.
        folder: The run's folder.
        state: The state after `done` iterations.
        root_key: The run's key, as two uint32 on the device.
        recorder: Writes to the journal.
        saver: Writes checkpoints.
        league: The league as the host sees it.
        clock: Adds up where the time goes.
        stop: Whether somebody has asked the run to stop.
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
        self._functions = {
            phase.name: resolve(phase.host or DEFAULT_HOST[phase.where])(self, phase)
            for phase in (*self.graph.before, *self.graph.after, *self.graph.between)
        }

    def row(self, iteration: int) -> Row:
        """Return the row of an iteration, still empty."""
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
        """Return whether the host has something to do with the state after this iteration."""
        if self._profiled(iteration) or self.saver.fires(iteration):
            return True
        phases = (*self.graph.after, *self.graph.between)
        return any(phase.waits and phase.cadence.fires(iteration) for phase in phases)

    def settle(self) -> bool:
        """Record what was dispatched, after a failure; return whether the state is still there."""
        for row in self.fetch():
            self.run(self.graph.after, row)
        leaves = jax.tree.leaves(self.state)
        return not any(isinstance(leaf, jax.Array) and leaf.is_deleted() for leaf in leaves)

    def _profiled(self, iteration: int) -> bool:
        every = self.graph.profile_every
        return bool(every) and (iteration + 1) % every == 0

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
            started = time.perf_counter()
            compiling = self.clock.seconds["compile"]
            writes, emitted = jax.block_until_ready(program(given))
            seconds = time.perf_counter() - started
            values.update(writes)
            metrics.update(emitted)
            if last.timer is not None:
                took = seconds - (self.clock.seconds["compile"] - compiling)
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


def train(attempt: Attempt, goal: int) -> None:
    """Run iterations until `goal` of them are done or the user asks to stop.

    The order is the graph's: `jaxpot.loop.phases.ORDER`. The device is kept busy: an iteration is
    dispatched without waiting for the one before it, and the metrics of several are fetched
    together, unless a phase needs the state as it is after this iteration.

    Raises:
        NonFiniteUpdateError: After everything before it was recorded.
    """
    graph = attempt.graph
    row = attempt.row(attempt.done - 1)
    attempt.clock.start()
    while attempt.done < goal and attempt.stop.signal is None:
        # Freeze the league, tick. The freeze after an iteration waits for the next one, so that a
        # run that stops in between saves the state before it, and a resumed run begins with it.
        attempt.run(graph.between, row)

        row = attempt.row(attempt.iteration)
        if attempt.waits_before(row):
            for fetched in attempt.fetch():
                attempt.run(graph.after, fetched)
        # Write samples.
        attempt.run(graph.before, row)
        attempt.dispatch(row)
        resume_collector()

        last = attempt.done == goal
        for fetched in attempt.fetch(everything=last or attempt.waits_after(row.iteration)):
            # Unpack the metrics, evaluate, complete and record the payload, save.
            attempt.run(graph.after, fetched)
    for fetched in attempt.fetch():
        attempt.run(graph.after, fetched)


@attrs.frozen(kw_only=True)
class Outcome:
    """How the iterations ended; `status` is None where all of them are done."""

    status: str | None
    reason: str
    exit_code: int
    done: int


def run_attempt(
    experiment: Experiment,
    graph: PhaseGraph,
    context: Context,
    recorder: Recorder,
    journal: Journal,
    restored: Restored,
    *,
    folder: Path,
    goal: int,
    clock: Clock,
    stop: StopRequest,
    versions: Mapping[str, str],
    unsettled: Sequence[Mapping[str, Any]] = (),
) -> Outcome:
    """Train up to `goal` iterations, save the state at the end, and return how it ended.

    Args:
        experiment: The experiment.
        graph: Its graph.
        context: Its parts.
        recorder: Writes to the journal.
        journal: The run's journal.
        restored: What the attempt starts from.
        folder: The run's folder.
        goal: Iterations in all.
        clock: Adds up where the time goes.
        stop: Whether somebody has asked the run to stop.
        versions: Of the packages, which every checkpoint keeps.
        unsettled: Records of saves that an earlier attempt began and did not end.
    """

    def failed(error: Exception, done: int | None = None) -> Outcome:
        done = recorder.done if done is None else done
        return Outcome(status="failed", reason=str(error), exit_code=1, done=done)

    try:
        unsettled = settle(unsettled, folder, recorder, final=False)
        # Making a writer finishes what can be finished.
        writer = CheckpointWriter(folder, folder.parent, experiment.checkpoint, recorder.saved)
        settle(unsettled, folder, recorder, final=True)
    except (JournalError, CheckpointError) as error:
        return failed(error)
    saver = Saver(
        experiment.checkpoint,
        graph,
        writer,
        journal,
        clock,
        metadata={
            "uid": folder.name,
            "contract": CONTRACT,
            "rows": ROWS,
            "seed": experiment.seed,
            "spec_digest": spec_digest(experiment),
            "versions": dict(versions),
        },
        saved_at=restored.iteration if restored.path else None,
    )
    attempt: Attempt | None = None
    try:
        if recorder.attempt > 1:
            writer.supersede_after(restored.iteration)
            if restored.supersedes:
                beyond = {"after": restored.iteration, "checkpoints": restored.later}
                recorder.event(SUPERSEDED, beyond)
        attempt = _start(experiment, graph, context, recorder, saver, restored, folder, clock, stop)
        try:
            train(attempt, goal)
        except NonFiniteUpdateError as error:
            recorder.event("nonfinite", {"iteration": error.iteration})
            attempt.state = attempt.state | {"nonfinite": np.bool_(False)}
            _save_last("emergency", attempt)
            reason = f"{error}; the state before it is saved in {recorder.checkpoint}"
            return Outcome(status="failed", reason=reason, exit_code=1, done=attempt.done)
        # A signal that came once everything was done has cut nothing short.
        signal = stop.signal if attempt.done < goal else None
        if signal is None:
            _save_last("final", attempt)
            return Outcome(status=None, reason="", exit_code=0, done=attempt.done)
        recorder.show_warning(f"{signal.name}: saving, then stopping{stop.advice}")
        _save_last("emergency", attempt)
        reason = f"{signal.name} was received"
        return Outcome(
            status="interrupted", reason=reason, exit_code=stop.exit_code, done=attempt.done
        )
    except (JournalError, CheckpointError, AlteredEntryError) as error:
        return failed(error)
    except FAILURES as error:
        reason = failure_text(error)
        if reason is None:
            raise
        if attempt is not None and _saved_after_failure(attempt):
            reason += f"; the state before it is saved in {recorder.checkpoint}"
        return Outcome(status="failed", reason=reason, exit_code=1, done=recorder.done)
    finally:
        writer.close()


def _save_last(kind: str, attempt: Attempt) -> None:
    attempt.saver.last(kind, attempt.done, attempt.state, attempt.recorder, attempt.league)


def _saved_after_failure(attempt: Attempt) -> bool:
    """Save the last state, if it is still there and everything before it is recorded."""
    try:
        if not attempt.settle() or attempt.recorder.done != attempt.done or not attempt.done:
            return False
        _save_last("emergency", attempt)
    except (*FAILURES, CheckpointError, NonFiniteUpdateError):
        return False  # the newest checkpoint before it counts, as after a kill
    return True


def _start(
    experiment: Experiment,
    graph: PhaseGraph,
    context: Context,
    recorder: Recorder,
    saver: Saver,
    restored: Restored,
    folder: Path,
    clock: Clock,
    stop: StopRequest,
) -> Attempt:
    def on_compile(program: str, seconds: float | None) -> None:
        if seconds is not None:
            clock.spent("compile", seconds)
        recorder.compile(program, seconds)

    programs = Programs(graph, context, on_compile)
    root_key = jax.device_put(root_key_data(experiment.seed))
    if restored.state is not None:
        state = jax.device_put(restored.state)
    else:
        if restored.parent is None:
            state, digest = programs.init()(root_key)
        else:
            state, digest = programs.init_from()(root_key, restored.parent.network())
        recorder.digest = to_hex(jax.device_get(digest))
    league = LeagueKeeper(
        programs,
        recorder,
        clock,
        state=state,
        recorded=recorded_at(folder / JOURNAL_NAME, restored.iteration - 1),
    )
    return Attempt(
        graph=graph,
        context=context,
        programs=programs,
        folder=folder,
        state=state,
        root_key=root_key,
        recorder=recorder,
        saver=saver,
        league=league,
        clock=clock,
        stop=stop,
        done=restored.iteration,
    )
