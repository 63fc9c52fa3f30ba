"""The training loop: what the host does around the compiled programs, in order."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import jax
import numpy as np

from jaxpot.checkpoints import CheckpointError, CheckpointWriter
from jaxpot.journal import JOURNAL_NAME, SUPERSEDED, Checkpoint, Journal, JournalError
from jaxpot.loop.attempt import Attempt, NonFiniteUpdateError
from jaxpot.loop.clock import Clock
from jaxpot.loop.digest import to_hex
from jaxpot.loop.environment import resume_collector
from jaxpot.loop.league import AlteredEntryError, LeagueKeeper, recorded_at
from jaxpot.loop.memory import FAILURES, failure_text
from jaxpot.loop.programs import Programs
from jaxpot.loop.provenance import ROWS
from jaxpot.loop.recorder import Recorder
from jaxpot.loop.restoring import Restored
from jaxpot.loop.saving import Saver, settle
from jaxpot.loop.shapes import Built
from jaxpot.loop.streams import CONTRACT, root_key_data
from jaxpot.signals import StopRequest
from jaxpot.spec import spec_digest


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
        # Freeze the league, tick. The freeze after an iteration waits until the next one begins: a
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
    """The end of the iterations; `status` is None if all of them are done."""

    status: str | None = None
    reason: str = ""
    exit_code: int = 0
    done: int


def run_attempt(
    built: Built,
    recorder: Recorder,
    journal: Journal,
    restored: Restored,
    *,
    folder: Path,
    goal: int,
    clock: Clock,
    stop: StopRequest,
    versions: Mapping[str, str],
    unsettled: Sequence[Checkpoint] = (),
) -> Outcome:
    """Train up to `goal` iterations in all, save the state at the end, and return how it ended.

    `versions` are those of the packages, which every checkpoint keeps; `unsettled` are the records
    of saves that an earlier attempt began and did not end.
    """
    experiment = built.experiment

    def failed(reason: str, done: int) -> Outcome:
        return Outcome(status="failed", reason=reason, exit_code=1, done=done)

    try:
        unsettled = settle(unsettled, folder, recorder, final=False)
        # Making a writer finishes what can be finished.
        writer = CheckpointWriter(folder, folder.parent, experiment.checkpoint, recorder.saved)
        settle(unsettled, folder, recorder, final=True)
    except (JournalError, CheckpointError) as error:
        return failed(str(error), recorder.done)
    metadata = {
        "uid": folder.name,
        "contract": CONTRACT,
        "rows": ROWS,
        "seed": experiment.seed,
        "spec_digest": spec_digest(experiment),
        "versions": dict(versions),
    }
    saved_at = restored.iteration if restored.path else None
    saver = Saver(
        experiment.checkpoint,
        built.graph,
        writer,
        journal,
        clock,
        metadata=metadata,
        saved_at=saved_at,
    )
    attempt: Attempt | None = None
    try:
        if recorder.attempt > 1:
            writer.supersede_after(restored.iteration)
            if restored.supersedes:
                beyond = {"after": restored.iteration, "checkpoints": restored.later}
                recorder.event(SUPERSEDED, beyond)
        attempt = _start(built, recorder, saver, restored, folder, clock, stop)
        try:
            train(attempt, goal)
        except NonFiniteUpdateError as error:
            recorder.event("nonfinite", {"iteration": error.iteration})
            attempt.state = attempt.state | {"nonfinite": np.bool_(False)}
            _save_last("emergency", attempt)
            reason = f"{error}; the state before it is saved in {recorder.checkpoint}"
            return failed(reason, attempt.done)
        # A signal that came once everything was done has cut nothing short.
        signal = stop.signal if attempt.done < goal else None
        if signal is None:
            _save_last("final", attempt)
            return Outcome(done=attempt.done)
        recorder.show_warning(f"{signal.name}: saving, then stopping{stop.advice}")
        _save_last("emergency", attempt)
        return Outcome(
            status="interrupted",
            reason=f"{signal.name} was received",
            exit_code=stop.exit_code,
            done=attempt.done,
        )
    except (JournalError, CheckpointError, AlteredEntryError) as error:
        return failed(str(error), recorder.done)
    except FAILURES as error:
        reason = failure_text(error)
        if reason is None:
            raise
        if attempt is not None and _saved_after_failure(attempt):
            reason += f"; the state before it is saved in {recorder.checkpoint}"
        return failed(reason, recorder.done)
    finally:
        writer.close()


def _save_last(kind: str, attempt: Attempt) -> None:
    attempt.saver.last(kind, attempt.done, attempt.state, attempt.recorder, attempt.league)


def _saved_after_failure(attempt: Attempt) -> bool:
    """Save the last state, if it still exists and everything before it is recorded."""
    try:
        if not attempt.settle() or attempt.recorder.done != attempt.done or not attempt.done:
            return False
        _save_last("emergency", attempt)
    except (*FAILURES, CheckpointError, NonFiniteUpdateError):
        return False  # the newest checkpoint before it counts, as after a kill
    return True


def _start(
    built: Built,
    recorder: Recorder,
    saver: Saver,
    restored: Restored,
    folder: Path,
    clock: Clock,
    stop: StopRequest,
) -> Attempt:
    """Put the state to start from on the device."""

    def on_compile(program: str, seconds: float | None) -> None:
        if seconds is not None:
            clock.spent("compile", seconds)
        recorder.compile(program, seconds)

    programs = Programs(built.graph, built.context, on_compile)
    root_key = jax.device_put(root_key_data(built.experiment.seed))
    if restored.state is not None:
        state = jax.device_put(restored.state)
    else:
        if restored.parent is None:
            state, digest = programs.init()(root_key)
        else:
            state, digest = programs.init_from()(root_key, restored.parent.network())
        recorder.digest = to_hex(jax.device_get(digest))
    recorded = recorded_at(folder / JOURNAL_NAME, restored.iteration - 1)
    league = LeagueKeeper(programs, recorder, clock, state=state, recorded=recorded)
    return Attempt(
        graph=built.graph,
        context=built.context,
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
