"""One attempt's training: checkpoints around the iterations, and how they end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import jax
import numpy as np

from jaxpot.checkpoints import CheckpointError, CheckpointWriter
from jaxpot.journal import JOURNAL_NAME, Checkpoint, Journal, JournalError
from jaxpot.journal.run import SUPERSEDED
from jaxpot.loop.attempt import Attempt, NonFiniteUpdateError
from jaxpot.loop.digest import to_hex
from jaxpot.loop.league import AlteredEntryError, LeagueKeeper, recorded_at
from jaxpot.loop.memory import FAILURES, failure_text
from jaxpot.loop.programs import OnCompile, Programs
from jaxpot.loop.record import ROWS
from jaxpot.loop.recorder import Recorder
from jaxpot.loop.restoring import Restored
from jaxpot.loop.samples import Sampler
from jaxpot.loop.saving import Saver, settle
from jaxpot.loop.shapes import digest_paths
from jaxpot.loop.streams import CONTRACT, root_key_data
from jaxpot.spec import spec_digest

if TYPE_CHECKING:
    from jaxpot.loop.session import Session


@attrs.frozen(kw_only=True)
class Outcome:
    """How the iterations ended; `status` is None where they simply are done."""

    status: str | None
    reason: str
    exit_code: int
    done: int


def train(
    session: "Session",
    uid: str,
    folder: Path,
    journal: Journal,
    recorder: Recorder,
    restored: Restored,
    goal: int,
    *,
    versions: Mapping[str, str],
    unsettled: Sequence[Checkpoint] = (),
) -> Outcome:
    """Runs the iterations up to `goal`, saves the state that they end with, and says how.

    Args:
        session: The built experiment.
        uid: The run's identifier.
        folder: Its directory.
        journal: Its journal.
        recorder: What writes to it.
        restored: What the attempt starts from.
        goal: Iterations in all.
        versions: Of the packages, to keep with every checkpoint.
        unsettled: Records of saves that an earlier attempt has begun and not ended.
    """
    policy = session.experiment.checkpoint
    metadata = {
        "uid": uid,
        "contract": CONTRACT,
        "rows": ROWS,
        "seed": session.experiment.seed,
        "spec_digest": spec_digest(session.experiment),
        "versions": dict(versions),
    }
    try:
        unsettled = settle(unsettled, folder, recorder, final=False)
        # Making one finishes what can be finished.
        writer = CheckpointWriter(folder, folder.parent, policy, recorder.saved)
        settle(unsettled, folder, recorder, final=True)
    except (JournalError, CheckpointError) as error:
        return Outcome(status="failed", reason=str(error), exit_code=1, done=recorder.done)
    saver = Saver(
        policy,
        session.graph,
        writer,
        journal,
        session.clock,
        metadata=metadata,
        saved_at=restored.iteration if restored.path else None,
    )
    attempt: Attempt | None = None
    try:
        if recorder.attempt > 1:
            writer.supersede_after(restored.iteration)
            if restored.supersedes:
                beyond = {"after": restored.iteration, "checkpoints": restored.later}
                recorder.event(SUPERSEDED, beyond)
        attempt = _start(session, recorder, saver, restored, folder)
        try:
            attempt.run(goal)
        except NonFiniteUpdateError as error:
            recorder.event("nonfinite", {"iteration": error.iteration})
            before = attempt.state | {"nonfinite": np.bool_(False)}
            saver.last("emergency", attempt.done, before, recorder, attempt.league)
            reason = f"{error}; the state before it is saved in {recorder.checkpoint}"
            return Outcome(status="failed", reason=reason, exit_code=1, done=attempt.done)
        # A signal that came once everything was done has cut nothing short.
        signal = session.stop.signal if attempt.done < goal else None
        kind = "final" if signal is None else "emergency"
        if signal is not None:
            session.observer.warning(f"{signal.name}: saving, then stopping{session.stop.advice}")
        saver.last(kind, attempt.done, attempt.state, recorder, attempt.league)
        if signal is None:
            return Outcome(status=None, reason="", exit_code=0, done=attempt.done)
        return Outcome(
            status="interrupted",
            reason=f"{signal.name} was received",
            exit_code=session.stop.exit_code,
            done=attempt.done,
        )
    except (JournalError, CheckpointError, AlteredEntryError) as error:
        return Outcome(status="failed", reason=str(error), exit_code=1, done=recorder.done)
    except FAILURES as error:
        reason = failure_text(error)
        if reason is None:
            raise
        if attempt is not None and _saved_after_failure(attempt, recorder, saver):
            reason += f"; the state before it is saved in {recorder.checkpoint}"
        return Outcome(status="failed", reason=reason, exit_code=1, done=recorder.done)
    finally:
        writer.close()


def _saved_after_failure(attempt: Attempt, recorder: Recorder, saver: Saver) -> bool:
    """Saves the last state where it is still there and all before it is recorded."""
    try:
        if not attempt.settle() or recorder.done != attempt.done or not attempt.done:
            return False
        saver.last("emergency", attempt.done, attempt.state, recorder, attempt.league)
    except (*FAILURES, CheckpointError, NonFiniteUpdateError):
        return False  # the newest checkpoint before it counts, as after a kill
    return True


def _start(
    session: "Session", recorder: Recorder, saver: Saver, restored: Restored, folder: Path
) -> Attempt:
    programs = Programs(session.graph, session.context, _on_compile(session, recorder))
    root_key = jax.device_put(root_key_data(session.experiment.seed))
    if restored.state is not None:
        state = jax.device_put(restored.state)
    else:
        if restored.parent is None:
            state, digest = programs.init()(root_key)
        else:
            state, digest = programs.init_from()(root_key, restored.parent.network())
        recorder.digest = to_hex(jax.device_get(digest))
    league = LeagueKeeper(
        session.graph,
        programs,
        recorder,
        session.clock,
        state=state,
        recorded=recorded_at(folder / JOURNAL_NAME, restored.iteration - 1),
    )
    debug = session.experiment.debug
    sampler = None
    if debug is not None:
        sampler = Sampler(debug, session.context.env, programs, recorder, folder)
    return Attempt(
        graph=session.graph,
        constants={
            phase.name: jax.device_put(dict(session.context.constants(phase.name)))
            for phase in session.graph.evaluators
        },
        programs=programs,
        state=state,
        root_key=root_key,
        recorder=recorder,
        saver=saver,
        league=league,
        sampler=sampler,
        clock=session.clock,
        stop=session.stop,
        leaf_paths=digest_paths(session.graph, session.shapes),
        done=restored.iteration,
    )


def _on_compile(session: "Session", recorder: Recorder) -> OnCompile:
    def told(program: str, seconds: float | None) -> None:
        if seconds is None:
            session.observer.compiling(program)
            return
        session.clock.spent("compile", seconds)
        recorder.event("compile", {"program": program, "seconds": seconds})
        session.observer.compiled(program, seconds)

    return told
