"""One attempt at a run: the host's order of side effects around the compiled programs."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import attrs
import jax
import numpy as np

from jaxpot.loop import PhaseGraph, Regime
from jaxpot.loop.clock import Clock
from jaxpot.loop.environment import resume_collector
from jaxpot.loop.league import LeagueKeeper
from jaxpot.loop.lowering import (
    IterationOutput,
    evaluation_inputs,
    metric_names,
    split_state,
    start_values,
    unpack,
)
from jaxpot.loop.plan import step_groups
from jaxpot.loop.programs import Program, Programs, group_inputs
from jaxpot.loop.recorder import Recorder
from jaxpot.loop.samples import Sampler
from jaxpot.loop.saving import Saver
from jaxpot.loop.state import State
from jaxpot.signals import StopRequest

# Metrics are fetched about twice a second, so that a row is at most about a second late.
_FETCH_SECONDS = 0.4
_MAX_CHUNK = 4096


class NonFiniteUpdateError(Exception):
    """An update was not finite; the state before it is kept.

    Attributes:
        iteration: The iteration whose update it was, which is how many were done before it.
    """

    def __init__(self, iteration: int) -> None:
        super().__init__(f"the update of iteration {iteration} is not finite")
        self.iteration = iteration


class _Pending(NamedTuple):
    """An iteration that was dispatched and whose metrics still are on the device."""

    iteration: int
    regime: Regime
    output: IterationOutput
    timings: dict[str, float]
    phase_digests: dict[str, Any]

    def digests(self) -> tuple[Any, dict[str, Any]]:
        """Returns what is recorded of a stepped iteration only: leaves' and phases' digests."""
        return self.output.leaf_digests, self.phase_digests


@attrs.define(kw_only=True, eq=False)
class Attempt:
    """Runs iterations `start` to `target`; `state` is always that after `done` iterations.

    `constants` are what the evaluators, by phase, are handed from outside the state.
    """

    graph: PhaseGraph
    constants: Mapping[str, Mapping[str, Any]]
    programs: Programs
    state: State
    root_key: Any
    recorder: Recorder
    saver: Saver
    league: LeagueKeeper
    sampler: Sampler | None
    clock: Clock
    stop: StopRequest
    leaf_paths: tuple[str, ...]
    done: int
    _pending: list[_Pending] = attrs.field(factory=list, init=False)
    _metric_names: dict[str, Any] = attrs.field(factory=dict, init=False)
    _chunk: int = attrs.field(default=1, init=False)

    def run(self, target: int) -> None:
        """Runs until `target` iterations are done or the user asks to stop.

        Raises:
            NonFiniteUpdateError: After everything before it was recorded.
        """
        self.clock.start()
        in_chunk = 0
        while self.done < target and self.stop.signal is None:
            iteration = self.done
            # The add after an iteration waits for the next one: so a run that ends or is stopped in
            # between saves the state before it, and whoever resumes that performs it.
            self.state = self.league.add(iteration - 1, self.state)
            self._dispatch(iteration)
            resume_collector()
            self.done += 1
            in_chunk += 1
            if self._is_host_event(iteration) or self.done == target:
                self._fetch(len(self._pending))
                self.saver.after(iteration, self.state, self.recorder, self.league)
                in_chunk = 0
            elif in_chunk >= self._chunk:
                # The chunk before is ready or nearly so, and this one keeps the device busy.
                self._fetch(len(self._pending) - in_chunk)
                in_chunk = 0
        self._fetch(len(self._pending))

    def settle(self) -> bool:
        """Records what was dispatched, after a failure; False where the state was handed on."""
        self._fetch(len(self._pending))
        leaves = jax.tree.leaves(self.state)
        return not any(isinstance(leaf, jax.Array) and leaf.is_deleted() for leaf in leaves)

    def _dispatch(self, iteration: int) -> None:
        regime = self.graph.regime_at(iteration, self.league.conditions)
        if self.sampler is not None and self.sampler.fires(iteration):
            # What was dispatched before is told first: the samples take no part of its time.
            self._fetch(len(self._pending))
            with self.clock.spending("debug"):
                self.sampler.dump(iteration, regime, self.state, self.root_key)
        profiled = self.graph.profile_every and (iteration + 1) % self.graph.profile_every == 0
        if profiled:
            self._fetch(len(self._pending))
            pending = self._step(iteration, regime)
        else:
            program = self.programs.iteration(regime)
            if not program.compiles:
                self._fetch(len(self._pending))
            pending = _Pending(iteration, regime, self._iterate(program, regime), {}, {})
        self._pending.append(pending)

    def _iterate(self, program: Program, regime: Regime) -> IterationOutput:
        changing, fixed = split_state(self.graph, regime, self.state)
        changed, output = program(changing, fixed, self.root_key)
        self.state = fixed | changed
        return output

    def _step(self, iteration: int, regime: Regime) -> _Pending:
        """Runs one iteration phase by phase and times each.

        On a CPU the phases' programs give the bits of the one program, so the stepped iteration
        is the iteration; elsewhere it is done on the side and its results are dropped.
        """
        values = start_values(self.state, self.root_key)
        metrics: dict[str, Any] = {}
        timings: dict[str, float] = {}
        written: dict[str, Any] = {}
        for (last, program), (_, phases) in zip(
            self.programs.steps(regime), step_groups(regime), strict=True
        ):
            given = group_inputs(phases, values)
            started = time.perf_counter()
            compiling = self.clock.seconds["compile"]
            writes, emitted = jax.block_until_ready(program(given))
            seconds = time.perf_counter() - started
            values.update(writes)
            metrics.update(emitted)
            if last.timer is not None:
                timings[last.timer] = seconds - (self.clock.seconds["compile"] - compiling)
                written[last.name] = writes
        digests = self.programs.phase_digests(regime)(written)
        collect = sum(s for timer, s in timings.items() if timer.startswith("timings/collect_"))
        self.clock.profiled(collect, sum(timings.values()) - collect)
        if jax.default_backend() == "cpu":
            changed, output = self.programs.finish(regime)(values, metrics)
            self.state = self.state | changed
        else:
            output = self._iterate(self.programs.iteration(regime), regime)
        return _Pending(iteration, regime, output, timings, digests)

    def _is_host_event(self, iteration: int) -> bool:
        return (
            bool(self.graph.profile_every and (iteration + 1) % self.graph.profile_every == 0)
            or any(phase.cadence.fires(iteration) for phase in self.graph.evaluators)
            or self.saver.fires(iteration)
            or self.league.fires(iteration)
        )

    def _fetch(self, count: int) -> None:
        """Fetches the oldest `count` iterations in one transfer and records them."""
        if count <= 0:
            return
        pending, self._pending = self._pending[:count], self._pending[count:]
        started = time.perf_counter()
        fetched = jax.device_get(
            [(each.output.words, each.digests() if each.timings else ()) for each in pending]
        )
        transfer = time.perf_counter() - started
        seconds = self.clock.lap() / count
        self._chunk = max(1, min(_MAX_CHUNK, int(_FETCH_SECONDS / seconds)))
        for each, (words, digests) in zip(pending, fetched, strict=True):
            row = unpack(words, self._names(each.regime))
            if row.nonfinite:
                self.done = each.iteration
                raise NonFiniteUpdateError(each.iteration)
            timings = dict(each.timings)
            if timings:
                timings["timings/transfer_metrics"] = transfer
            metrics = row.metrics
            evaluations, histograms = self._evaluate(each.iteration)
            timings |= {timer: took for timer, took, _ in evaluations}
            for _, _, emitted in evaluations:
                metrics |= emitted
            with self.clock.recording():
                self.recorder.iteration(
                    each.iteration,
                    metrics,
                    row.digest,
                    seconds=seconds + sum(took for _, took, _ in evaluations),
                    timings=timings,
                    conditions=each.regime.conditions,
                )
                self.league.log(each.iteration, self.state)
                for name, counts in histograms.items():
                    self.recorder.histogram(each.iteration, name, counts)
                if digests:
                    of_leaves, of_phases = digests
                    leaves = dict(zip(self.leaf_paths, of_leaves, strict=True))
                    self.recorder.digests(each.iteration, "leaf", leaves)
                    self.recorder.digests(each.iteration, "phase", of_phases)

    def _names(self, regime: Regime) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if regime.name not in self._metric_names:
            self._metric_names[regime.name] = metric_names(regime.phases)
        return self._metric_names[regime.name]

    def _evaluate(self, iteration: int) -> tuple[list[tuple[str, float, dict[str, float]]], dict]:
        """Runs the evaluators that are due; the state is then that after `iteration`.

        Returns each one's timer, seconds and metrics, and all histograms.
        """
        results, histograms = [], {}
        for phase in self.graph.evaluators:
            if not phase.cadence.fires(iteration):
                continue
            program = self.programs.evaluation(phase)
            given = evaluation_inputs(
                phase,
                self.constants[phase.name],
                self.state,
                self.root_key,
                jax.device_put(np.int32(iteration)),
            )
            compiling = self.clock.seconds["compile"]
            started = time.perf_counter()
            output = program(given)
            writes, emitted = jax.device_get(output)
            took = time.perf_counter() - started - (self.clock.seconds["compile"] - compiling)
            self.clock.spent("evaluate", took)
            self.state |= {name: x for name, x in output[0].items() if name in self.state}
            if "league" in writes:
                self.league.evaluated(iteration, writes["league"])
            results.append((phase.timer, took, {name: x.item() for name, x in emitted.items()}))
            histograms |= writes.get("histograms", {})
        return results, histograms
