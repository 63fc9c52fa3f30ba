"""Unpack the metrics that the host has fetched, and stop at a non-finite update."""

from collections.abc import Iterator
from functools import cache

from jaxpot.loop.attempt import Attempt, HostFunction, NonFiniteUpdateError, Row
from jaxpot.loop.lower import metric_names, unpack
from jaxpot.loop.phase import Phase
from jaxpot.spec import Experiment


def phases(experiment: Experiment) -> Iterator[Phase]:
    yield Phase(
        name="transfer_metrics",
        where="host",
        # The fetch's time, which is logged with the times of a stepped iteration.
        timer="timings/transfer_metrics" if experiment.runtime.profile_every else None,
        host=build,
        doc="Fetches the metrics of a batch of iterations in one transfer.",
    )


def build(attempt: Attempt, phase: Phase) -> HostFunction:
    names = cache(lambda regime: metric_names(regime.phases))

    def run(row: Row) -> None:
        found = unpack(row.words, names(row.regime))
        if found.nonfinite:
            attempt.done = row.iteration
            raise NonFiniteUpdateError(row.iteration)
        row.metrics |= found.metrics
        row.digest = found.digest
        if row.timings and phase.timer is not None:
            row.timings[phase.timer] = row.transfer_seconds

    return run
