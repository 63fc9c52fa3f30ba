"""A built experiment and what surrounds an attempt at it: journal, ingest, checkpoints, result."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import jax

from jaxpot.checkpoints import CheckpointError, CheckpointWriter
from jaxpot.graph import PhaseGraph, compile_graph
from jaxpot.loop.attempt import Attempt, NonFiniteUpdateError
from jaxpot.loop.clock import Clock
from jaxpot.loop.context import Context, build_context
from jaxpot.loop.gates import judge
from jaxpot.loop.observer import Observer, RunInfo, RunResult
from jaxpot.loop.programs import Programs
from jaxpot.loop.provenance import provenance
from jaxpot.loop.record import RunRecord, payloads
from jaxpot.loop.recorder import Recorder
from jaxpot.loop.restoring import START, Restored, restore_newest
from jaxpot.loop.runner import status_of
from jaxpot.loop.saving import Saver
from jaxpot.loop.shapes import abstract_state, digest_paths
from jaxpot.loop.signals import StopRequest
from jaxpot.loop.state import State
from jaxpot.loop.streams import CONTRACT, root_key_data
from jaxpot.spec import SPEC_VERSION, Experiment, resolved, spec_digest, to_toml, training_digest
from jaxpot.store import start_child
from jaxpot.store.journal import JOURNAL_NAME, JOURNAL_VERSION, Journal, JournalError


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
        *,
        observer: Observer,
        stop: StopRequest,
        graph: PhaseGraph | None = None,
    ) -> "Session":
        """Builds every part and traces the state's shapes; compiles and writes nothing."""
        graph = graph or compile_graph(experiment)
        context = build_context(experiment)
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
        return {
            "journal_version": JOURNAL_VERSION,
            "name": self.experiment.name,
            **self._spec(),
            "spec_version": SPEC_VERSION,
            "seed": self.experiment.seed,
            "iterations": self.experiment.iterations,
            "tags": list(self.experiment.tags),
            "contract": CONTRACT,
            "parent": None,
        }

    def _spec(self) -> dict[str, Any]:
        spec = resolved(self.experiment)
        return {
            "spec": spec,
            "spec_toml": to_toml(spec),
            "spec_digest": spec_digest(self.experiment),
            "training_digest": training_digest(self.experiment),
        }

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
        goal = min(target or self.experiment.iterations, self.experiment.iterations)
        restored = restore_newest(folder, self.shapes) if record else START
        number = record.attempt + 1 if record else 1
        here = provenance() | _device()
        changed = self._spec() if record and record.spec != resolved(self.experiment) else {}
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
        for text in (*restored.warnings, *_moved(record, here)):
            recorder.warn(text)
        child = start_child(folder.parent) if ingest else None
        try:
            outcome = self._train(uid, folder, journal, recorder, restored, goal, here["versions"])
            result = self._conclude(uid, folder, journal, recorder, outcome)
        except BaseException as error:
            # A bug, or a second Ctrl-C: the record says so, and the error goes on to the caller.
            stopped = isinstance(error, KeyboardInterrupt | SystemExit)
            status = "interrupted" if stopped else "failed"
            recorder.end(status=status, reason=repr(error), iterations=recorder.done)
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
        writer = CheckpointWriter(folder, folder.parent, policy, recorder.saved)
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
                saver.last("emergency", attempt.done, attempt.state, recorder)
                reason = f"{error}; the state before it is saved in {recorder.checkpoint}"
                return _Outcome(status="failed", reason=reason, exit_code=1, done=attempt.done)
            signal = self.stop.signal
            kind = "final" if signal is None else "emergency"
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
            state = programs.init()(root_key)
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
            reason = _reason(status, outcome.done, self.experiment.iterations)
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


def _reason(status: str, done: int, planned: int) -> str:
    match status:
        case "completed":
            return f"all {done} iterations are done"
        case "gate_missed":
            return f"all {done} iterations are done and a gate was missed"
        case _:
            return f"stopped as asked after {done} of {planned} iterations"


def _device() -> dict[str, Any]:
    device = jax.devices()[0]
    return {
        "platform": device.platform,
        "device_kind": device.device_kind,
        "device_count": 1,
        "contract": CONTRACT,
    }


def _moved(record: RunRecord | None, here: Mapping[str, Any]) -> list[str]:
    """Says what differs from where the run was before, and so may change its bits."""
    if record is None or record.attempt == 0:
        return []
    before = record.provenance
    texts = [
        f"{what} was {before[what]} and is {here[what]}: the bits may differ from here on"
        for what in ("platform", "device_kind", "isa", "nproc", "xla_flags")
        if before.get(what) != here[what]
    ]
    old, new = before.get("versions", {}), here["versions"]
    texts += [
        f"{package} was {old.get(package)} and is {new.get(package)}: the bits may differ"
        for package in sorted(old.keys() | new.keys())
        if old.get(package) != new.get(package)
    ]
    return texts
