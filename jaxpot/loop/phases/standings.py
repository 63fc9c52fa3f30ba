"""Record the score of every entry of the league."""

from collections.abc import Iterator

from jaxpot.loop.attempt import Attempt, HostFunction, Row
from jaxpot.loop.phase import Cadence, Phase
from jaxpot.spec import Experiment


def phases(experiment: Experiment) -> Iterator[Phase]:
    if experiment.league is not None:
        yield Phase(
            name="standings",
            where="host",
            cadence=Cadence(every=experiment.league.log_every),
            waits=True,
            host=build,
            doc="Records every entry's score.",
        )


def build(attempt: Attempt, phase: Phase) -> HostFunction:
    def run(row: Row) -> None:
        with attempt.clock.recording():
            attempt.league.log(row.iteration, attempt.state)

    return run
