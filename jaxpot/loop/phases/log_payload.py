"""Complete the iteration's payload, and append it to the journal with its digests."""

from collections.abc import Iterator

from jaxpot.loop.attempt import Attempt, HostFunction, Row
from jaxpot.loop.lower import digest_paths
from jaxpot.loop.phase import Phase
from jaxpot.spec import Experiment


def phases(experiment: Experiment) -> Iterator[Phase]:
    doc = "Completes the payload and appends it."
    yield Phase(name="log_payload", where="host", host=build, doc=doc)


def build(attempt: Attempt, phase: Phase) -> HostFunction:
    recorder = attempt.recorder
    paths = digest_paths(attempt.graph, attempt.state)

    def run(row: Row) -> None:
        with attempt.clock.recording():
            recorder.iteration(
                row.iteration,
                row.metrics,
                row.digest,
                seconds=row.seconds,
                timings=row.timings,
                conditions=row.regime.conditions,
            )
            for name, counts in row.histograms.items():
                recorder.histogram(row.iteration, name, counts)
            if row.stepped:
                leaves = dict(zip(paths, row.leaf_digests, strict=True))
                recorder.digests(row.iteration, "leaf", leaves)
                recorder.digests(row.iteration, "phase", row.phase_digests)

    return run
