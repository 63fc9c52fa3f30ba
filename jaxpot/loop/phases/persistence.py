"""Save the checkpoints that are due: periodic, milestone and best."""

from jaxpot.loop.attempt import Attempt, HostFunction, Row
from jaxpot.loop.phase import Phase
from jaxpot.spec import Experiment


def phases(experiment: Experiment) -> tuple[Phase, ...]:
    return (
        Phase(
            name="persistence",
            where="host",
            host=build,
            doc="Saves periodic, milestone and best checkpoints.",
        ),
    )


def build(attempt: Attempt, phase: Phase) -> HostFunction:

    def run(row: Row) -> None:
        attempt.saver.after(row.iteration, attempt.state, attempt.recorder, attempt.league)

    return run
