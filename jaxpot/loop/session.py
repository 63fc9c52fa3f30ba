"""A built experiment and what surrounds an attempt at it: journal, ingest, checkpoints, result."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import jax
import numpy as np

from jaxpot.checkpoints import CheckpointError, CheckpointWriter
from jaxpot.errors import UserError
from jaxpot.graph import PhaseGraph, compile_graph
from jaxpot.loop.attempt import Attempt, NonFiniteUpdateError
from jaxpot.loop.clock import Clock
from jaxpot.loop.context import Context, build_context, parts_of
from jaxpot.loop.digest import to_hex
from jaxpot.loop.gates import judge, reason_of, status_of, too_few
from jaxpot.loop.heading import changed_spec, header, moved, surroundings
from jaxpot.loop.observer import Observer, RunInfo, RunResult
from jaxpot.loop.programs import Programs
from jaxpot.loop.record import RunRecord, payloads
from jaxpot.loop.recorder import Recorder
from jaxpot.loop.restoring import START, Restored, restore_newest
from jaxpot.loop.saving import Saver
from jaxpot.loop.shapes import abstract_state, digest_paths, trace_programs
from jaxpot.loop.signals import StopRequest
from jaxpot.loop.state import State
from jaxpot.loop.streams import CONTRACT, root_key_data
from jaxpot.spec import Experiment, ImportedPart, spec_digest
from jaxpot.store import start_child
from jaxpot.store.journal import JOURNAL_NAME, Journal, JournalError


@attrs.frozen(kw_only=True)
class _Outcome:
    """How the iterations ended; `status` is None where they simply are done."""

    status: str | None
    reason: str
    exit_code: int
    done: int


@attrs.frozen(kw_only=True, eq=False)
class Session:
    """One process's hold on one experiment."""

    experiment: Experiment
    graph: PhaseGraph
    context: Context
    shapes: State
    observer: Observer
    stop: StopRequest
    clock: Clock = attrs.field(factory=Clock)

    @classmethod
    def build(
        cls,
        experiment: Experiment,
        graph: PhaseGraph | None = None,
        *,
        observer: Observer,
        stop: StopRequest,
    ) -> "Session":
        """Builds every part and traces the state's shapes; compiles and writes nothing.

        With a part of the user's own every program is traced, so that what it does otherwise than
        it declares is told before anything is written.
        """
        if graph is None:
            graph = compile_graph(experiment)
        else:
            graph = attrs.evolve(graph, iterations=experiment.iterations)
        context = build_context(experiment)
        if any(isinstance(part, ImportedPart) for part in parts_of(experiment)):
            trace_programs(graph, context)
        return cls(
            experiment=experiment,
            graph=graph,
            context=context,
            shapes=abstract_state(graph, context),
            observer=observer,
            stop=stop,
        )

    def begin(self, uid: str, folder: Path, *, target: int | None, ingest: bool) -> RunResult:
        """Runs the first attempt, in the run's fresh folder."""
        with Journal(folder / JOURNAL_NAME) as journal:
            return self._attempt(uid, folder, journal, None, target=target, ingest=ingest)

    def resume(
        self, uid: str, folder: Path, record: RunRecord, *, target: int | None, ingest: bool
    ) -> RunResult:
        """Runs a further attempt, from the newest whole checkpoint or from the start."""
        with Journal(folder / JOURNAL_NAME) as journal:
            return self._attempt(uid, folder, journal, record, target=target, ingest=ingest)

    def header(self) -> dict[str, Any]:
        """Returns the first record of a new run's journal, but for its uid."""
        return header(self.experiment)

    def _attempt(
        self,
        uid: str,
        folder: Path,
        journal: Journal,
        record: RunRecord | None,
        *,
        target: int | None,
        ingest: bool,
    ) -> RunResult:
        planned = self.experiment.iterations
        goal = planned if target is None else min(target, planned)
        restored = restore_newest(folder, self.shapes) if record else START
        if restored.iteration > goal:
            raise UserError(too_few(uid, restored.iteration, goal))
        number = record.attempt + 1 if record else 1
        here = surroundings()
        changed = {} if record is None else changed_spec(record, self.experiment)
        journal.append(
            {
                "kind": "attempt",
                "attempt": number,
                "start_iter": restored.iteration,
                "iterations": goal,
                **changed,
                **here,
            }
        )
        keys = [attrs.asdict(key) for key in self.graph.keys]
        journal.append({"kind": "keys", "attempt": number, "keys": keys})
        recorder = Recorder(
            self.graph,
            journal,
            self.observer,
            attempt=number,
            counters=restored.counters,
            last=record.last(below=restored.iteration) if record else {},
            digest=restored.digest,
            checkpoint=restored.path,
        )
        self.observer.started(
            RunInfo(
                uid=uid,
                name=self.experiment.name,
                run_dir=folder,
                attempt=number,
                start_iter=restored.iteration,
                target_iterations=goal,
                keys=self.graph.keys,
                device=here["device_kind"],
                nproc=here["nproc"],
                experiment=self.experiment,
            )
        )
        for text in (*restored.warnings, *moved(record, here)):
            recorder.warn(text)
        child = start_child(folder.parent) if ingest else None
        try:
            outcome = self._train(uid, folder, journal, recorder, restored, goal, here["versions"])
            result = self._conclude(uid, folder, journal, recorder, outcome)
        except BaseException as error:
            # A bug, or a second Ctrl-C: the record says so, and the error goes on to the caller.
            stopped = isinstance(error, KeyboardInterrupt | SystemExit)
            status = "interrupted" if stopped else "failed"
            with suppress(JournalError):
                recorder.end(status=status, reason=repr(error), iterations=recorder.done)
                journal.sync()
            raise
        finally:
            undone = child.stop() if child is not None else None
        if undone:
            self.observer.warning(f"the database lags behind the journal: {undone}")
        self.observer.finished(result)
        return result

    def _train(
        self,
        uid: str,
        folder: Path,
        journal: Journal,
        recorder: Recorder,
        restored: Restored,
        goal: int,
        versions: Mapping[str, str],
    ) -> _Outcome:
        policy = self.experiment.checkpoint
        metadata = {
            "uid": uid,
            "contract": CONTRACT,
            "seed": self.experiment.seed,
            "spec_digest": spec_digest(self.experiment),
            "versions": dict(versions),
        }
        try:
            writer = CheckpointWriter(folder, folder.parent, policy, recorder.saved)
        except (JournalError, CheckpointError) as error:
            return _Outcome(status="failed", reason=str(error), exit_code=1, done=recorder.done)
        saver = Saver(
            policy,
            self.graph,
            writer,
            journal,
            self.clock,
            metadata=metadata,
            saved_at=restored.iteration if restored.path else None,
        )
        try:
            if recorder.attempt > 1:
                writer.supersede_after(restored.iteration)
            attempt = self._start(recorder, saver, restored)
            try:
                attempt.run(goal)
            except NonFiniteUpdateError as error:
                recorder.event("nonfinite", {"iteration": error.iteration})
                before = attempt.state | {"nonfinite": np.bool_(False)}
                saver.last("emergency", attempt.done, before, recorder)
                reason = f"{error}; the state before it is saved in {recorder.checkpoint}"
                return _Outcome(status="failed", reason=reason, exit_code=1, done=attempt.done)
            # A signal that came once everything was done has cut nothing short.
            signal = self.stop.signal if attempt.done < goal else None
            kind = "final" if signal is None else "emergency"
            if signal is not None:
                self.observer.warning(f"{signal.name}: saving, then stopping; again: stop at once")
            saver.last(kind, attempt.done, attempt.state, recorder)
            if signal is None:
                return _Outcome(status=None, reason="", exit_code=0, done=attempt.done)
            return _Outcome(
                status="interrupted",
                reason=f"{signal.name} was received",
                exit_code=self.stop.exit_code,
                done=attempt.done,
            )
        except (JournalError, CheckpointError) as error:
            return _Outcome(status="failed", reason=str(error), exit_code=1, done=recorder.done)
        finally:
            writer.close()

    def _start(self, recorder: Recorder, saver: Saver, restored: Restored) -> Attempt:
        programs = Programs(self.graph, self.context, self._on_compile(recorder))
        root_key = jax.device_put(root_key_data(self.experiment.seed))
        if restored.state is None:
            state, digest = programs.init()(root_key)
            recorder.digest = to_hex(jax.device_get(digest))
        else:
            state = jax.device_put(restored.state)
        return Attempt(
            graph=self.graph,
            programs=programs,
            state=state,
            root_key=root_key,
            recorder=recorder,
            saver=saver,
            clock=self.clock,
            stop=self.stop,
            leaf_paths=digest_paths(self.graph, self.shapes),
            done=restored.iteration,
        )

    def _on_compile(self, recorder: Recorder):
        def told(program: str, seconds: float | None) -> None:
            if seconds is None:
                self.observer.compiling(program)
                return
            self.clock.spent("compile", seconds)
            recorder.event("compile", {"program": program, "seconds": seconds})
            self.observer.compiled(program, seconds)

        return told

    def _conclude(
        self, uid: str, folder: Path, journal: Journal, recorder: Recorder, outcome: _Outcome
    ) -> RunResult:
        complete = outcome.status is None and outcome.done >= self.experiment.iterations
        gates = judge(self.experiment.expect, payloads(journal.path), complete=complete)
        status, exit_code, reason = outcome.status, outcome.exit_code, outcome.reason
        if status is None:
            status = status_of(gates, complete=complete)
            exit_code = 1 if status == "gate_missed" else 0
            reason = reason_of(status, outcome.done, self.experiment.iterations)
        spent = self.clock.report()
        try:
            for gate in gates:
                recorder.event("expect", gate)
            recorder.event("time", spent)
            recorder.end(status=status, reason=reason, iterations=outcome.done)
            journal.sync()
        except JournalError as error:
            status, exit_code, reason = "failed", 1, str(error)
        return RunResult(
            uid=uid,
            name=self.experiment.name,
            status=status,
            iterations=outcome.done,
            attempt=recorder.attempt,
            digest=recorder.digest,
            metrics=recorder.last,
            checkpoint=recorder.checkpoint,
            expect=gates,
            time=spent,
            exit_code=exit_code,
            reason=reason,
            run_dir=folder,
        )
