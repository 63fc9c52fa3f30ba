"""Save the checkpoints that are due: periodic, milestone and best."""

from collections.abc import Iterator

from jaxpot.loop.attempt import Attempt, HostFunction, Row
from jaxpot.loop.phase import Phase
from jaxpot.spec import Experiment


def phases(experiment: Experiment) -> Iterator[Phase]:
    doc = "Saves periodic, milestone and best checkpoints."
    yield Phase(name="persistence", where="host", host=build, doc=doc)


def build(attempt: Attempt, phase: Phase) -> HostFunction:
    def run(row: Row) -> None:
        attempt.saver.after(row.iteration, attempt.state, attempt.recorder, attempt.league)

    return run
