"""Judge a run's `[[expect]]` gates, and decide its status and the reason for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, RunRecord
from jaxpot.loop.observer import RunResult
from jaxpot.spec import Expect, Experiment


def judge(
    experiment: Experiment, gates: Sequence[Expect], folders: Sequence[Path], *, complete: bool
) -> list[dict[str, Any]]:
    """Judge gates over the journals of an experiment's runs, as `jaxpot expect` does later.

    Args:
        experiment: The experiment, under any seed.
        gates: Those of its gates to judge. One run alone does not decide a gate over several seeds.
        folders: The runs' folders, a complete one first if there is one.
        complete: Whether every run is complete, or has failed; if not, no gate is judged.

    Returns:
        The verdicts of `jaxpot.store.gates.judge`.
    """
    if not gates:
        return []
    from jaxpot.store import gates as by_sql

    journals = [folder / JOURNAL_NAME for folder in folders]
    with by_sql.from_journals(journals, frozenset(gate.metric for gate in gates)) as connection:
        uid, iterations = folders[0].name, experiment.iterations
        return by_sql.judge(connection, uid, gates, iterations=iterations, complete=complete)


def status_of(expect: list[dict[str, Any]], *, complete: bool) -> str:
    """Return the status of a run that ended by itself: completed, gate_missed or stopped."""
    if not complete:
        return "stopped"
    return "gate_missed" if any(gate["passed"] is False for gate in expect) else "completed"


def reason_of(status: str, done: int, planned: int, expect: Sequence[dict[str, Any]] = ()) -> str:
    """Return why a run has the status that `status_of` gave it, in a sentence."""
    match status:
        case "completed":
            return f"all {done} iterations are done{waiting(expect)}"
        case "gate_missed":
            return f"all {done} iterations are done and a gate was missed"
        case _:
            return f"stopped as asked after {done} of {planned} iterations"


def waiting(expect: Sequence[dict[str, Any]]) -> str:
    """Return a clause on gates that are not judged yet; "" if all are."""
    gates = sum(not gate["judged"] for gate in expect)
    if not gates:
        return ""
    which = "a gate waits" if gates == 1 else f"{gates} gates wait"
    return f"; {which} for runs of other seeds"


def require_not_past(uid: str, done: int, goal: int) -> None:
    """Refuse to stop a run after fewer iterations than it has done.

    Raises:
        UserError: `done` is more than `goal`.
    """
    if done > goal:
        raise UserError(
            f"run {uid} has done {done} iterations, more than the {goal} asked for; "
            f"to go on, ask for more: jaxpot resume {uid} --iterations {done + 1}"
        )


def recorded_result(
    uid: str, folder: Path, experiment: Experiment, record: RunRecord, goal: int
) -> RunResult:
    """Return the result of a run that has nothing left to do, from its journal alone.

    Raises:
        UserError: More iterations are done than were asked for.
    """
    require_not_past(uid, record.done, goal)
    complete = record.done >= experiment.iterations
    expect = judge(experiment, experiment.expect, [folder], complete=complete)
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
