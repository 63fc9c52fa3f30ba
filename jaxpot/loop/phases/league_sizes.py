"""Count the entries of the league and its archive at the start of the iteration."""

from collections.abc import Iterator

import jax.numpy as jnp

from jaxpot.league import ARCHIVE, Table
from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.loop.phase import Phase
from jaxpot.spec import Experiment


def phases(experiment: Experiment) -> Iterator[Phase]:
    if experiment.league is not None:
        yield Phase(
            name="league_sizes",
            reads=("league",),
            implementation=build,
            doc="Counts the league's entries, the archive's, and the active ones of those.",
        )


def build(context: Context, phase: Phase) -> PhaseFunction:
    def run(values: Values):
        table: Table = values["league"]
        counted = {
            "league_size": table.in_league,
            "league_archive_size": table.place == ARCHIVE,
            "active_archive_size": table.recalled,
        }
        return {}, {f"iteration/{n}": x.sum(dtype=jnp.int32) for n, x in counted.items()}

    return run
