"""Freeze the agent: add a copy of it to the league, and prune the league and its archive."""

from collections.abc import Iterator
from typing import Any

from jax import Array

from jaxpot.league import Table, empty_pool, empty_table, freeze
from jaxpot.loop.attempt import Attempt, HostFunction, Row
from jaxpot.loop.context import (
    NETWORK,
    Context,
    PhaseFunction,
    Values,
    league_of,
    network_variables,
)
from jaxpot.loop.digest import combine, leaf_digests
from jaxpot.loop.phase import Field, Phase
from jaxpot.spec import AddSchedule, Experiment


def fields(experiment: Experiment) -> Iterator[Field]:
    if experiment.league is not None:
        doc = "Its entries by slot: place, activity, score, games, age, digest."
        yield Field(name="league", init=init_league, doc=doc)
        yield Field(
            name="pool",
            init=init_pool,
            digested=False,  # the table has a digest of every entry
            guarded=False,  # no phase of an iteration writes it
            doc="The entries' parameters and untrained variables, stacked by slot.",
        )


def phases(experiment: Experiment) -> Iterator[Phase]:
    if experiment.league is not None:
        yield Phase(
            name="league_freeze",
            program="between",
            cadence=AddSchedule.of(experiment.league, experiment.collect),
            reads=(*NETWORK, "pool", "league", "iteration"),
            writes=("pool", "league", "frozen"),
            waits=True,
            implementation=build,
            host=run_freeze,
            doc="Adds a copy of the agent to the league, and prunes league and archive.",
        )


def init_league(context: Context, values: Values, root_key: Array) -> Table:
    return empty_table(league_of(context).slots)


def init_pool(context: Context, values: Values, root_key: Array) -> Any:
    return empty_pool(network_variables(values), league_of(context).slots)


def build(context: Context, phase: Phase) -> PhaseFunction:
    league = league_of(context)

    def run(values: Values):
        network = network_variables(values)
        paths, leaves = leaf_digests(network)
        pool, table, frozen = freeze(
            values["pool"],
            values["league"],
            network,
            combine(leaves, paths),
            frozen_at=values["iteration"],
            size=league.size,
            archive_size=league.archive_size,
        )
        return {"pool": pool, "league": table, "frozen": frozen}, {}

    return run


def run_freeze(attempt: Attempt, phase: Phase) -> HostFunction:
    """Run the program, and record what it changed in the league."""

    def run(row: Row) -> None:
        attempt.state = attempt.league.add(phase, row.iteration, attempt.state)

    return run
