"""Go on to the next iteration."""

from jaxpot.loop.attempt import Attempt, HostFunction, Row
from jaxpot.loop.phase import Phase
from jaxpot.spec import Experiment


def phases(experiment: Experiment) -> tuple[Phase, ...]:
    return (
        Phase(
            name="tick",
            where="host",
            program="between",
            host=build,
            doc="Goes on to the next iteration.",
        ),
    )


def build(attempt: Attempt, phase: Phase) -> HostFunction:

    def run(row: Row) -> None:
        attempt.iteration = row.iteration + 1

    return run
