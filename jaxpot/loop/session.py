"""A built experiment and what surrounds an attempt at it: journal, ingest, checkpoints, result."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from jaxpot.checkpoints import CheckpointInfo
from jaxpot.errors import UserError
from jaxpot.journal import (
    JOURNAL_NAME,
    Attempt,
    Journal,
    JournalError,
    Key,
    Keys,
    RunRecord,
)
from jaxpot.loop import PhaseGraph, compile_graph
from jaxpot.loop.clock import Clock
from jaxpot.loop.context import Context, build_context, parts_of
from jaxpot.loop.delivery import Deliveries
from jaxpot.loop.environment import ignored
from jaxpot.loop.gates import judge, reason_of, status_of, too_few
from jaxpot.loop.heading import changed_spec, header, moved, surroundings
from jaxpot.loop.memory import check_fits
from jaxpot.loop.observer import Observer, RunInfo, RunResult
from jaxpot.loop.recorder import Recorder
from jaxpot.loop.restoring import START, Restored, restore_chosen, restore_newest
from jaxpot.loop.shapes import abstract_state, trace_programs
from jaxpot.loop.state import State
from jaxpot.loop.training import Outcome, train
from jaxpot.signals import StopRequest
from jaxpot.spec import Experiment, ImportedPart
from jaxpot.spec.resolve import plain
from jaxpot.store import start_child


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
        runs_dir: Path,
        opponents: Mapping[str, Mapping[str, Any]] | None = None,
        observer: Observer,
        stop: StopRequest,
    ) -> "Session":
        """Builds every part and traces the state's shapes; compiles and writes nothing.

        What cannot fit into memory is refused here.

        In `runs_dir` an evaluator may find its opponent; a resumed run has recorded which one.

        With a part of the user's own every program is traced, so that what it does otherwise than
        it declares is told before anything is written.
        """
        if graph is None:
            graph = compile_graph(experiment)
        else:
            graph = attrs.evolve(graph, iterations=experiment.iterations)
        context = build_context(experiment, runs_dir, opponents or {})
        if any(isinstance(part, ImportedPart) for part in parts_of(experiment)):
            trace_programs(graph, context)
        shapes = abstract_state(graph, context)
        check_fits(graph, context, shapes)
        return cls(
            experiment=experiment,
            graph=graph,
            context=context,
            shapes=shapes,
            observer=observer,
            stop=stop,
        )

    def begin(
        self,
        uid: str,
        folder: Path,
        *,
        initial: Restored = START,
        target: int | None,
        ingest: bool,
    ) -> RunResult:
        """Runs the first attempt, in the run's fresh folder."""
        with Journal(folder / JOURNAL_NAME) as journal:
            return self._attempt(uid, folder, journal, None, initial, target=target, ingest=ingest)

    def resume(
        self,
        uid: str,
        folder: Path,
        record: RunRecord,
        *,
        chosen: CheckpointInfo | None = None,
        target: int | None,
        ingest: bool,
    ) -> RunResult:
        """Runs a further attempt, from the chosen or the newest whole checkpoint, or the start."""
        if chosen is not None:
            restored = restore_chosen(folder, chosen, self.shapes)
        else:
            restored = restore_newest(folder, self.shapes, record)
        with Journal(folder / JOURNAL_NAME) as journal:
            return self._attempt(
                uid, folder, journal, record, restored, target=target, ingest=ingest
            )

    def header(self, initial: Restored = START) -> dict[str, Any]:
        """Returns the first record of a new run's journal, but for its uid."""
        parent = initial.parent
        return header(self.experiment) | (parent.heading if parent is not None else {})

    def _attempt(
        self,
        uid: str,
        folder: Path,
        journal: Journal,
        record: RunRecord | None,
        restored: Restored,
        *,
        target: int | None,
        ingest: bool,
    ) -> RunResult:
        planned = self.experiment.iterations
        goal = planned if target is None else min(target, planned)
        if restored.iteration > goal:
            raise UserError(too_few(uid, restored.iteration, goal))
        number = record.attempt + 1 if record else 1
        here = surroundings()
        changed = {} if record is None else changed_spec(record, self.experiment)
        journal.append(
            Attempt(
                attempt=number,
                start_iter=restored.iteration,
                iterations=goal,
                chosen=restored.path if restored.chosen else None,
                **changed,
                **here,
            )
        )
        keys = [Key(**attrs.asdict(key)) for key in self.graph.keys]
        journal.append(Keys(attempt=number, keys=keys))
        recorder = Recorder(
            self.graph,
            journal,
            self.observer,
            attempt=number,
            counters=restored.counters,
            last=record.last(below=restored.iteration) if record else {},
            digest=restored.digest,
            checkpoint=restored.path,
            longest_game=-(-self.context.env.max_steps // self.experiment.collect.num_steps),
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
        if restored.parent is not None:
            recorder.event("init_from", restored.parent.source)
        unknown = [here["git_problem"]] if here["git_problem"] else []
        for text in (*restored.warnings, *moved(record, here), *unknown, *ignored()):
            recorder.warn(text)
        for name, evaluator in self.context.evaluators.items():
            if (source := getattr(evaluator, "source", None)) is not None:
                recorder.event("opponent", {"evaluator": name, **source})
        child = start_child(folder.parent) if ingest else None
        sinks = self.experiment.sinks if ingest else {}
        deliveries = Deliveries(folder, {name: plain(sink) for name, sink in sinks.items()})
        try:
            outcome = train(
                self,
                uid,
                folder,
                journal,
                recorder,
                restored,
                goal,
                versions=here["versions"],
                unsettled=record.unsettled if record else (),
            )
            result = self._conclude(uid, folder, journal, recorder, outcome)
        except BaseException as error:
            # A bug, or a second Ctrl-C: the record says so, and the error goes on to the caller.
            stopped = isinstance(error, KeyboardInterrupt | SystemExit)
            status = "interrupted" if stopped else "failed"
            with suppress(JournalError):
                recorder.end(status=status, reason=repr(error), iterations=recorder.done)
                journal.sync()
            raise
        else:
            self._end_deliveries(uid, deliveries, recorder)
        finally:
            deliveries.let_go()
            undone = child.stop() if child is not None else None
        if undone:
            self.observer.warning(f"the database lags behind the journal: {undone}")
        self.observer.finished(result)
        return result

    def _end_deliveries(self, uid: str, deliveries: Deliveries, recorder: Recorder) -> None:
        """Waits a moment for the sinks, and says once how each was left."""
        for state in deliveries.stop():
            with suppress(JournalError):
                recorder.event("sink", attrs.asdict(state))
            if (text := state.warning(uid)) is not None:
                self.observer.warning(text)

    def _conclude(
        self, uid: str, folder: Path, journal: Journal, recorder: Recorder, outcome: Outcome
    ) -> RunResult:
        complete = outcome.status is None and outcome.done >= self.experiment.iterations
        gates = judge(self.experiment, folder, complete=complete)
        status, exit_code, reason = outcome.status, outcome.exit_code, outcome.reason
        if status is None:
            status = status_of(gates, complete=complete)
            exit_code = 1 if status == "gate_missed" else 0
            reason = reason_of(status, outcome.done, self.experiment.iterations, gates)
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
