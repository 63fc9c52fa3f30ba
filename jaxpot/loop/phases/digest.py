"""Hash every leaf of the state, and the leaves' hashes into one."""

from collections.abc import Iterator

from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.loop.digest import combine, leaf_digests
from jaxpot.loop.phase import Phase
from jaxpot.spec import Experiment


def phases(experiment: Experiment) -> Iterator[Phase]:
    yield Phase(
        name="digest",
        writes=("digest", "leaf_digests"),
        covers="digested",
        implementation=build,
        doc="Hashes every leaf of the state, and the leaves' hashes into one.",
    )


def build(context: Context, phase: Phase) -> PhaseFunction:
    def run(values: Values):
        paths, leaves = leaf_digests({name: values[name] for name in phase.reads})
        return {"digest": combine(leaves, paths), "leaf_digests": leaves}, {}

    return run
