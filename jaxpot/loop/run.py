"""Start and resume runs: from a spec or a run's folder to the result of an attempt.

Read `train.py` next: it has the loop that `_attempt` runs. jax is imported only once the process is
prepared for it, so nothing here imports it at the top.
"""

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import attrs

from jaxpot.journal import (
    JOURNAL_NAME,
    Attempt,
    Journal,
    JournalError,
    Key,
    Keys,
    RunRecord,
    read_record,
)
from jaxpot.loop.clock import Clock
from jaxpot.loop.environment import collector_paused, ignored, prepare
from jaxpot.loop.graph import PhaseGraph
from jaxpot.loop.observer import Observer, Observers, RunInfo, RunResult
from jaxpot.loop.provenance import (
    changed_spec,
    environment_changes,
    header,
    require_rows,
    surroundings,
)
from jaxpot.loop.restoring import (
    START,
    Restored,
    choose,
    find_parent,
    restore_chosen,
    restore_newest,
    restore_parent,
)
from jaxpot.loop.result import judge, reason_of, recorded_result, require_not_past, status_of
from jaxpot.signals import StopRequest
from jaxpot.spec import (
    Experiment,
    Loaded,
    SpecError,
    from_resolved,
    missing_extras,
    resolved,
    validate,
)
from jaxpot.spec.resolve import plain
from jaxpot.store.runs import RunLock, create_run, find
from jaxpot.trackers.process import SideProcess


def run(
    what: Loaded | Experiment,
    *,
    runs_dir: Path,
    iterations: int | None = None,
    init_from: str | None = None,
    opponents: Mapping[str, Mapping[str, Any]] | None = None,
    observer: Observer | None = None,
    graph: PhaseGraph | None = None,
    ingest: bool = True,
) -> RunResult:
    """Start a new run, and train until it ends, is stopped, or fails.

    Args:
        what: What `jaxpot.spec.source.load` gave, or an experiment.
        runs_dir: Folder of all runs; it is made if it is missing.
        iterations: Stop after that many in all; above the spec's own it changes the spec.
        init_from: The checkpoint whose network to start with: `RUN`, `RUN:SELECTOR` or a path. By
            default the network is drawn from the seed.
        opponents: The evaluators' opponents as another run recorded them. By default they are what
            the experiment's selectors name now.
        observer: Follows the run.
        graph: The experiment's graph, changed; by default it is compiled from the experiment.
        ingest: Whether another process fills the database and the sinks meanwhile.

    Raises:
        UserError: The experiment cannot be built, or the network to start with is missing or has
            another shape. Nothing is written then.
    """
    given = what if isinstance(what, Experiment) else what.experiment
    # Faults of a spec that was read from a file are shown with their places in it.
    placing = nullcontext if isinstance(what, Experiment) else what.placing
    experiment = _extended(given, iterations)
    with placing():
        _require_extras(experiment, ingest=ingest)
    found = None if init_from is None else find_parent(runs_dir, init_from)
    with collector_paused(), StopRequest() as stop:
        prepare(experiment.runtime)
        with placing():
            from jaxpot.loop.shapes import build

            built = build(experiment, graph, runs_dir=runs_dir, opponents=opponents)
        restored, heading = START, header(experiment)
        if found is not None:
            parent = restore_parent(runs_dir, found, built.shapes)
            restored, heading = Restored(parent=parent), heading | parent.heading
        with create_run(runs_dir, heading) as (_, folder):
            return _attempt(built, folder, restored, None, iterations, stop, observer, ingest)


def resume(
    runs_dir: Path,
    selector: str,
    *,
    iterations: int | None = None,
    checkpoint: str | None = None,
    observer: Observer | None = None,
    graph: PhaseGraph | None = None,
    ingest: bool = True,
) -> RunResult:
    """Continue a run as a new attempt, from its newest whole checkpoint or from the start.

    If nothing is left to do and no checkpoint is chosen, the recorded result is returned.

    Args:
        runs_dir: Folder of all runs.
        selector: A run's uid, the start of one, a name, a tag, or `latest`.
        iterations: As of `run`.
        checkpoint: The checkpoint to start from: `latest`, `best`, `milestone:N`, a number of
            iterations, or a path. Later ones are deleted, and made again.
        observer: As of `run`.
        graph: As of `run`.
        ingest: As of `run`.

    Raises:
        UserError: The run or the checkpoint does not exist, the run is running, or it has done
            more than `iterations`.
    """
    found = find(runs_dir, selector)
    with collector_paused(), StopRequest() as stop, RunLock(found.path):
        record = read_record(found.path)
        experiment = _extended(from_resolved(record.spec), iterations)
        goal = _goal(experiment, iterations)
        chosen = None if checkpoint is None else choose(found.path, checkpoint, record)
        if chosen is None and record.finished and record.done >= goal:
            return recorded_result(found.uid, found.path, experiment, record, goal)
        require_rows(record)
        _require_extras(experiment, ingest=ingest)
        prepare(experiment.runtime, nproc=record.nproc)
        # Users' own parts may import jax, so they wait until it is prepared.
        imported = from_resolved(resolved(experiment), import_user_code=True)
        from jaxpot.loop.shapes import build

        built = build(imported, graph, runs_dir=runs_dir, opponents=record.opponents)
        if chosen is not None:
            restored = restore_chosen(found.path, chosen, built.shapes)
        else:
            restored = restore_newest(found.path, built.shapes, record)
        return _attempt(built, found.path, restored, record, iterations, stop, observer, ingest)


def _attempt(
    built: Any,
    folder: Path,
    restored: Restored,
    record: RunRecord | None,
    iterations: int | None,
    stop: StopRequest,
    observer: Observer | None,
    ingest: bool,
) -> RunResult:
    """Run one attempt: open the journal, train, judge the gates, record how it ended.

    `built` is a `jaxpot.loop.shapes.Built`; `record` is None for a new run. See `run` for the rest.
    """
    observer = observer or Observers()
    experiment, goal = built.experiment, _goal(built.experiment, iterations)
    require_not_past(folder.name, restored.iteration, goal)
    with Journal(folder / JOURNAL_NAME) as journal:
        here = surroundings()
        recorder = _open(built, folder, journal, restored, record, here, observer, goal)
        sinks = {name: plain(sink) for name, sink in experiment.sinks.items()}
        side_process = SideProcess(folder, sinks) if ingest else None
        clock = Clock()
        from jaxpot.loop.train import run_attempt

        try:
            outcome = run_attempt(
                built,
                recorder,
                journal,
                restored,
                folder=folder,
                goal=goal,
                clock=clock,
                stop=stop,
                versions=here["versions"],
                unsettled=record.unsettled if record else (),
            )
            result = _conclude(experiment, folder, journal, recorder, outcome, clock.report())
        except BaseException as error:
            # A bug, or a second Ctrl-C: record it, and let the caller see the error.
            stopped = isinstance(error, KeyboardInterrupt | SystemExit)
            status = "interrupted" if stopped else "failed"
            with suppress(JournalError):
                recorder.end(status=status, reason=repr(error), iterations=recorder.done)
                journal.sync()
            raise
        else:
            # Give the sinks a moment to finish, and record how each of them ended.
            for state in side_process.finish_sinks() if side_process is not None else ():
                with suppress(JournalError):
                    recorder.event("sink", attrs.asdict(state))
                if (text := state.warning(folder.name)) is not None:
                    observer.warning(text)
        finally:
            undone = side_process.stop() if side_process is not None else None
        if undone:
            observer.warning(f"the database lags behind the journal: {undone}")
        observer.finished(result)
        return result


def _open(
    built: Any,
    folder: Path,
    journal: Journal,
    restored: Restored,
    record: RunRecord | None,
    here: dict[str, Any],
    observer: Observer,
    goal: int,
) -> Any:
    """Record the start of an attempt and show it; return its `jaxpot.loop.recorder.Recorder`."""
    from jaxpot.loop.recorder import Recorder

    experiment, graph = built.experiment, built.graph
    number = record.attempt + 1 if record else 1
    journal.append(
        Attempt(
            attempt=number,
            start_iter=restored.iteration,
            iterations=goal,
            chosen=restored.path if restored.chosen else None,
            **(changed_spec(record, experiment) if record else {}),
            **here,
        )
    )
    keys = [Key(**attrs.asdict(key)) for key in graph.keys]
    journal.append(Keys(attempt=number, keys=keys))
    recorder = Recorder(
        graph,
        journal,
        observer,
        attempt=number,
        counters=restored.counters,
        last=record.last(below=restored.iteration) if record else {},
        digest=restored.digest,
        checkpoint=restored.path,
        longest_game=-(-built.context.env.max_steps // experiment.collect.num_steps),
    )
    observer.started(
        RunInfo(
            uid=folder.name,
            name=experiment.name,
            run_dir=folder,
            attempt=number,
            start_iter=restored.iteration,
            target_iterations=goal,
            keys=graph.keys,
            device=here["device_kind"],
            nproc=here["nproc"],
            experiment=experiment,
        )
    )
    if restored.parent is not None:
        recorder.event("init_from", restored.parent.source)
    unknown = [here["git_problem"]] if here["git_problem"] else []
    changes = environment_changes(record, here)
    for text in (*restored.warnings, *changes, *unknown, *ignored()):
        recorder.warn(text)
    for name, evaluator in built.context.evaluators.items():
        if (source := getattr(evaluator, "source", None)) is not None:
            recorder.event("opponent", {"evaluator": name, **source})
    return recorder


def _conclude(
    experiment: Experiment,
    folder: Path,
    journal: Journal,
    recorder: Any,
    outcome: Any,
    spent: dict[str, float],
) -> RunResult:
    """Judge the gates, and record the attempt's result.

    `outcome` is the `jaxpot.loop.train.Outcome`, `spent` the seconds by what they went on.
    """
    complete = outcome.status is None and outcome.done >= experiment.iterations
    gates = judge(experiment, experiment.expect, [folder], complete=complete)
    status, exit_code, reason = outcome.status, outcome.exit_code, outcome.reason
    if status is None:
        status = status_of(gates, complete=complete)
        exit_code = 1 if status == "gate_missed" else 0
        reason = reason_of(status, outcome.done, experiment.iterations, gates)
    try:
        for gate in gates:
            recorder.event("expect", gate)
        recorder.event("time", spent)
        recorder.end(status=status, reason=reason, iterations=outcome.done)
        journal.sync()
    except JournalError as error:
        status, exit_code, reason = "failed", 1, str(error)
    return RunResult(
        uid=folder.name,
        name=experiment.name,
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


def _goal(experiment: Experiment, iterations: int | None) -> int:
    """Return after how many iterations in all an attempt stops."""
    planned = experiment.iterations
    return planned if iterations is None else min(iterations, planned)


def _require_extras(experiment: Experiment, *, ingest: bool) -> None:
    missing = missing_extras(experiment) if ingest else []
    if missing:
        raise SpecError(missing)


def _extended(experiment: Experiment, iterations: int | None) -> Experiment:
    """Return the experiment with its iterations raised to `iterations`, if they are fewer.

    Raises:
        SpecError: The longer experiment breaks a rule: a gate on the last iteration, say.
    """
    if iterations is None or iterations <= experiment.iterations:
        return experiment
    longer = attrs.evolve(experiment, iterations=iterations)
    faults = validate(longer)
    if faults:
        raise SpecError(faults)
    return longer
