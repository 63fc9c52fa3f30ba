"""Freeze the agent: add a copy of it to the league, and prune the league and its archive."""

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


def fields(experiment: Experiment) -> tuple[Field, ...]:
    """Declare the league's table and the pool of its networks, for an experiment with a league."""
    if experiment.league is None:
        return ()
    return (
        Field(
            name="league",
            init=init_league,
            doc="Its entries by slot: place, activity, score, games, age, digest.",
        ),
        Field(
            name="pool",
            init=init_pool,
            digested=False,  # the table has a digest of every entry
            guarded=False,  # no phase of an iteration writes it
            doc="The entries' parameters and untrained variables, stacked by slot.",
        ),
    )


def phases(experiment: Experiment) -> tuple[Phase, ...]:
    """Declare the phase, for an experiment with a league."""
    if experiment.league is None:
        return ()
    return (
        Phase(
            name="league_freeze",
            where="device",
            program="between",
            cadence=AddSchedule.of(experiment.league, experiment.collect),
            reads=(*NETWORK, "pool", "league", "iteration"),
            writes=("pool", "league", "frozen"),
            waits=True,
            implementation=build,
            host=run_freeze,
            doc="Adds a copy of the agent to the league, and prunes league and archive.",
        ),
    )


def init_league(context: Context, values: Values, root_key: Array) -> Table:
    """Start without entries."""
    del values, root_key
    return empty_table(league_of(context).slots)


def init_pool(context: Context, values: Values, root_key: Array) -> Any:
    """Make room for the entries' networks."""
    del root_key
    return empty_pool(network_variables(values), league_of(context).slots)


def build(context: Context, phase: Phase) -> PhaseFunction:
    """Build the program."""
    del phase
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
