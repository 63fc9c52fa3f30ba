"""Go on to the next iteration."""

from collections.abc import Iterator

from jaxpot.loop.attempt import Attempt, HostFunction, Row
from jaxpot.loop.phase import Phase
from jaxpot.spec import Experiment


def phases(experiment: Experiment) -> Iterator[Phase]:
    doc = "Goes on to the next iteration."
    yield Phase(name="tick", where="host", program="between", host=build, doc=doc)


def build(attempt: Attempt, phase: Phase) -> HostFunction:
    def run(row: Row) -> None:
        attempt.iteration = row.iteration + 1

    return run
