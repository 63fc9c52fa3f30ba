"""Learning gates at the end of a run: `[[expect]]` tables, judged, and the status they decide."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxpot.spec import Expect, Experiment
from jaxpot.store.journal import JOURNAL_NAME


def judge(experiment: Experiment, folder: Path, *, complete: bool) -> list[dict[str, Any]]:
    """Judge every gate of an experiment over its run's journal, as `jaxpot expect` does later.

    Args:
        experiment: What was run.
        folder: The run's.
        complete: Whether the run reached its spec's iterations; if not, nothing is judged.

    Returns:
        The verdicts of `jaxpot.store.gates.judge`. A gate over several seeds is not judged by a
        run alone.
    """
    gates = experiment.expect
    if not gates:
        return []
    from jaxpot.store import gates as by_sql

    with by_sql.from_journals([folder / JOURNAL_NAME], _metrics(gates)) as connection:
        return by_sql.judge(
            connection, folder.name, gates, iterations=experiment.iterations, complete=complete
        )


def judge_seeds(
    experiment: Experiment, folders: Sequence[Path], *, complete: bool
) -> list[dict[str, Any]]:
    """Judge those gates of an experiment that are over several seeds, over its runs' journals.

    Args:
        experiment: What was run, whatever its seed.
        folders: The runs', a complete one first where there is one.
        complete: Whether every run is complete or has failed; if not, nothing is judged.
    """
    gates = [gate for gate in experiment.expect if gate.seeds > 1]
    if not gates:
        return []
    from jaxpot.store import gates as by_sql

    journals = [folder / JOURNAL_NAME for folder in folders]
    with by_sql.from_journals(journals, _metrics(gates)) as connection:
        return by_sql.judge(
            connection,
            folders[0].name,
            gates,
            iterations=experiment.iterations,
            complete=complete,
        )


def status_of(expect: list[dict[str, Any]], *, complete: bool) -> str:
    """Return the status of a run that ended by itself: completed, gate_missed or stopped."""
    if not complete:
        return "stopped"
    return "gate_missed" if any(gate["passed"] is False for gate in expect) else "completed"


def reason_of(status: str, done: int, planned: int, expect: Sequence[dict[str, Any]] = ()) -> str:
    """Say in words why a run has the status that `status_of` gave it."""
    match status:
        case "completed":
            return f"all {done} iterations are done{waiting(expect)}"
        case "gate_missed":
            return f"all {done} iterations are done and a gate was missed"
        case _:
            return f"stopped as asked after {done} of {planned} iterations"


def too_few(uid: str, done: int, asked: int) -> str:
    """Say in words that a run has done more iterations than it is asked to stop after."""
    return (
        f"run {uid} has done {done} iterations, more than the {asked} asked for; "
        f"to go on, ask for more: jaxpot resume {uid} --iterations {done + 1}"
    )


def waiting(expect: Sequence[dict[str, Any]]) -> str:
    """Say in words that gates are not judged yet, to stand behind a reason; "" where all are."""
    gates = sum(not gate["judged"] for gate in expect)
    if not gates:
        return ""
    which = "a gate waits" if gates == 1 else f"{gates} gates wait"
    return f"; {which} for runs of other seeds"


def _metrics(gates: Sequence[Expect]) -> frozenset[str]:
    return frozenset(gate.metric for gate in gates)
