"""Runs and resumes experiments: what a run is made of, from its folder to its result.

jax is imported only once the process is prepared for it, so nothing here imports it at the top.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from jaxpot.errors import UserError
from jaxpot.journal import RunRecord, read_record
from jaxpot.loop import PhaseGraph
from jaxpot.loop.environment import collector_paused, prepare
from jaxpot.loop.gates import judge, status_of, too_few
from jaxpot.loop.observer import Observer, Observers, RunResult
from jaxpot.loop.record import require_rows
from jaxpot.loop.restoring import START, Restored, choose, find_parent, restore_parent
from jaxpot.signals import StopRequest
from jaxpot.spec import Experiment, SpecError, from_resolved, missing_extras, resolved, validate
from jaxpot.store.runs import RunLock, create_run, find

if TYPE_CHECKING:
    from jaxpot.spec import Loaded


def run(
    what: "Loaded | Experiment",
    *,
    runs_dir: Path,
    iterations: int | None = None,
    init_from: str | None = None,
    opponents: Mapping[str, Mapping[str, Any]] | None = None,
    observer: Observer | None = None,
    graph: PhaseGraph | None = None,
    ingest: bool = True,
) -> RunResult:
    """Starts a new run and trains until it ends, is stopped, or fails.

    Args:
        what: What `jaxpot.spec.source.load` gave, or an experiment.
        runs_dir: Folder of all runs; made if it is not there.
        iterations: Stop after that many in all; above the spec's own it changes the spec.
        init_from: Whose network to start with: `RUN`, `RUN:SELECTOR` or a checkpoint's path; one
            drawn from the seed when None.
        opponents: Where evaluators' opponents come from, as another run recorded it; what the
            experiment's selectors name now when None.
        observer: Who watches.
        graph: A graph with phases of one's own; the experiment's without them otherwise.
        ingest: Whether processes beside this one fill the database, and the sinks, on the way.

    Raises:
        UserError: The experiment cannot be built, or the network that it is to start with is not
            there or not its own; nothing is left behind then.
    """
    given = what if isinstance(what, Experiment) else what.experiment
    experiment = _extended(given, iterations)
    with nullcontext() if isinstance(what, Experiment) else what.placing():
        _require_extras(experiment, ingest=ingest)
    found = None if init_from is None else find_parent(runs_dir, init_from)
    with collector_paused(), StopRequest() as stop:
        prepare(experiment.runtime)
        from jaxpot.loop.session import Session

        with nullcontext() if isinstance(what, Experiment) else what.placing():
            built = Session.build(
                experiment,
                graph,
                runs_dir=runs_dir,
                opponents=opponents,
                observer=observer or Observers(),
                stop=stop,
            )
        initial = START
        if found is not None:
            initial = Restored(parent=restore_parent(runs_dir, found, built.shapes))
        with create_run(runs_dir, built.header(initial)) as (uid, folder):
            return built.begin(uid, folder, initial=initial, target=iterations, ingest=ingest)


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
    """Continues a run as a new attempt, from its newest whole checkpoint or from the start.

    A run that has nothing left to do is left as it is, and its recorded result given back, unless a
    checkpoint is chosen.

    Args:
        runs_dir: Folder of all runs.
        selector: A run's uid, the start of one, a name, a tag, or `latest`.
        iterations: Stop after that many in all; above the spec's own it changes the spec.
        checkpoint: Which of the run's checkpoints to start from: `latest`, `best`, `milestone:N`,
            a number of iterations or a path. Those beyond it are deleted, and made again.
        observer: Who watches.
        graph: A graph with phases of one's own; the experiment's without them otherwise.
        ingest: Whether processes beside this one fill the database, and the sinks, on the way.

    Raises:
        UserError: There is no such run or checkpoint, the run is running, or its iterations are
            past `iterations`.
    """
    found = find(runs_dir, selector)
    with collector_paused(), StopRequest() as stop, RunLock(found.path):
        record = read_record(found.path)
        experiment = _extended(from_resolved(record.spec), iterations)
        planned = experiment.iterations
        target = planned if iterations is None else min(iterations, planned)
        chosen = None if checkpoint is None else choose(found.path, checkpoint, record)
        if chosen is None and record.finished and record.done >= target:
            return recorded_result(found.uid, found.path, experiment, record, target)
        require_rows(record)
        _require_extras(experiment, ingest=ingest)
        prepare(experiment.runtime, nproc=record.nproc)
        # Users' own parts may import jax, so they wait until it is prepared.
        imported = from_resolved(resolved(experiment), import_user_code=True)
        from jaxpot.loop.session import Session

        built = Session.build(
            imported,
            graph,
            runs_dir=runs_dir,
            opponents=record.opponents,
            observer=observer or Observers(),
            stop=stop,
        )
        return built.resume(
            found.uid, found.path, record, chosen=chosen, target=iterations, ingest=ingest
        )


def _require_extras(experiment: Experiment, *, ingest: bool) -> None:
    missing = missing_extras(experiment) if ingest else []
    if missing:
        raise SpecError(missing)


def _extended(experiment: Experiment, iterations: int | None) -> Experiment:
    """Returns the experiment with its iterations raised to `iterations`, if they are fewer.

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


def recorded_result(
    uid: str, folder: Path, experiment: Experiment, record: RunRecord, target: int
) -> RunResult:
    """Returns the result of a run that has nothing left to do, from its journal alone.

    Raises:
        UserError: More iterations are done than were asked for.
    """
    if record.done > target:
        raise UserError(too_few(uid, record.done, target))
    complete = record.done >= experiment.iterations
    expect = judge(experiment, folder, complete=complete)
    status = status_of(expect, complete=complete)
    return RunResult(
        uid=uid,
        name=experiment.name,
        status=status,
        iterations=record.done,
        attempt=record.attempt,
        digest=record.digest,
        metrics=record.last(),
        checkpoint=record.checkpoint,
        expect=expect,
        time=record.time,
        exit_code=1 if status == "gate_missed" else 0,
        reason=f"all {record.done} iterations were done already",
        run_dir=folder,
    )
