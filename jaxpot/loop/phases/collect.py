"""Collect: play games against each kind of opponent, and return the rows to train on.

There is one phase for each collector under `[collect]`. Carried games are a field of the state, one
for each collector.
"""

from functools import partial
from typing import Any

import attrs
import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.errors import UserError
from jaxpot.league import Table, allocate, gather, group_slots, update_scores, weights
from jaxpot.loop.collect import Played, rollout, rollout_groups
from jaxpot.loop.context import Context, PhaseFunction, Values, league_of, network_variables
from jaxpot.loop.games import Games, no_games
from jaxpot.loop.phase import SEARCH, Cadence, Field, Phase, stream_value
from jaxpot.loop.streams import CollectorKeys
from jaxpot.spec import Experiment
from jaxpot.spec.payload import collector_timer
from jaxpot.spec.registry import part_streams
from jaxpot.spec.windows import windows_of


@attrs.frozen
class Kind:
    """What differs between the collectors' phases.

    Attributes:
        doc: What the phase does.
        reads: The fields that it needs of its opponents.
        writes: Those of them that it writes.
        remembers: Whether the opponent is a network, which may have a memory.
    """

    doc: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    remembers: bool = False


def _kind(experiment: Experiment, name: str) -> Kind:
    if name == "selfplay" and _plays_target(experiment):
        doc = "The agent plays the target, first in half of the lanes."
        return Kind(doc, reads=("target",), remembers=True)
    return {
        "selfplay": Kind("The agent plays itself; both seats are trained."),
        "random": Kind("The agent plays uniformly random moves, first in half of the lanes."),
        "league": Kind(
            "The agent plays the league's entries, first in half of each one's lanes.",
            reads=("league", "pool"),
            writes=("league",),
            remembers=True,
        ),
        "archive": Kind(
            "The agent plays the archive's active entries in the same way.",
            reads=("league", "pool"),
            writes=("league",),
            remembers=True,
        ),
    }[name]


def fields(experiment: Experiment) -> tuple[Field, ...]:
    """Declare each collector's carried games."""
    if experiment.collect.start != "carried":
        return ()
    return tuple(
        Field(
            name=carried_field(name),
            init=partial(init_lanes, name),
            finite=False,  # a game may use infinities as it likes
            doc="The collector's games, which go on in the next iteration.",
        )
        for name in windows_of(experiment)
    )


def phases(experiment: Experiment) -> tuple[Phase, ...]:
    """Declare one phase for each collector."""
    return tuple(_phase(experiment, name) for name in windows_of(experiment))


def _phase(experiment: Experiment, name: str) -> Phase:
    window, kind = windows_of(experiment)[name], _kind(experiment, name)
    carried = (carried_field(name),) if experiment.collect.start == "carried" else ()
    return Phase(
        name=f"collect_{name}",
        where="device",
        program="iteration",
        cadence=Cadence(start=window.start, until=window.until),
        when=window.when,
        reads=(f"key.{name}", "params", "model_state", *kind.reads, *carried),
        writes=(rollout_value(name), *kind.writes, *carried),
        streams=part_streams(experiment.algorithm),
        timer=f"timings/{collector_timer(name)}",
        collects=name,
        implementation=_BUILDERS[name],
        doc=kind.doc,
    )


def rollout_value(name: str) -> str:
    """Return the name of the value that holds a collector's rows."""
    return f"rollout.{name}"


def carried_field(name: str) -> str:
    """Return the name of the field that holds a collector's games between iterations."""
    return f"{name}_lanes"


def init_lanes(name: str, context: Context, values: Values, root_key: Array) -> Games:
    """Make a collector's carried games, none of which has begun."""
    del values, root_key
    num_envs = _config(context, name).num_envs
    return no_games(context, num_envs, remembers=_kind(context.experiment, name).remembers)


def build_selfplay(context: Context, phase: Phase) -> PhaseFunction:
    """Build the phase in which the agent plays both seats, or against the target network."""
    config = _config(context, "selfplay")
    against_target = _plays_target(context.experiment)

    def run(values: Values):
        played = rollout(
            context,
            values["key.selfplay"],
            network_variables(values),
            num_envs=config.num_envs,
            opponent=values["target"] if against_target else None,
            search_key=_search_key(phase, values),
            games=_carried(phase, values),
        )
        return _written(phase, played), {}

    return run


def build_random(context: Context, phase: Phase) -> PhaseFunction:
    """Build the phase in which the agent plays against uniformly random moves."""
    config = _config(context, "random")

    def run(values: Values):
        played = rollout(
            context,
            values["key.random"],
            network_variables(values),
            num_envs=config.num_envs,
            random=True,
            search_key=_search_key(phase, values),
            games=_carried(phase, values),
        )
        reward = played.standing.reward / played.standing.games.astype(jnp.float32)
        return _written(phase, played), {"train_vs_random/reward": reward}

    return run


def build_against_entries(context: Context, phase: Phase) -> PhaseFunction:
    """Build the phase in which the agent plays the league's or the archive's entries.

    Groups of lanes are allocated to entries by their weights, and the entries' scores follow.
    """
    name = str(phase.collects)
    league = league_of(context)
    groups = _config(context, name).num_envs // league.base_unit

    def run(values: Values):
        table: Table = values["league"]
        playing = table.in_league if name == "league" else table.recalled
        weight = weights(table.score, playing, temperature=league.temperature)
        counts = allocate(weight, playing, table.born, groups=groups)
        slots = group_slots(counts, table.born, groups=groups)
        played = rollout_groups(
            context,
            values[f"key.{name}"],
            network_variables(values),
            gather(values["pool"], slots),
            groups=groups,
            lanes=league.base_unit,
            numbers=table.born[slots],
            search_key=_search_key(phase, values),
            games=_carried(phase, values),
        )
        standing = played.standing
        scored = update_scores(
            table, slots, standing.reward, standing.games, alpha=league.score_alpha
        )
        ended = standing.games.sum(dtype=jnp.int32).astype(jnp.float32)
        writes = {**_written(phase, played), "league": scored}
        return writes, {f"train_vs_{name}/reward": standing.reward.sum() / ended}

    return run


_BUILDERS = {
    "selfplay": build_selfplay,
    "random": build_random,
    "league": build_against_entries,
    "archive": build_against_entries,
}


def _plays_target(experiment: Experiment) -> bool:
    selfplay = experiment.collect.selfplay
    return selfplay is not None and selfplay.opponent == "target"


def _config(context: Context, name: str) -> Any:
    config = getattr(context.experiment.collect, name)
    if config is None:
        raise UserError("the graph has a collector that the experiment does not configure")
    return config


def _carried(phase: Phase, values: Values) -> Games | None:
    """Return the games to go on with; None where every lane begins a new game."""
    field = carried_field(str(phase.collects))
    return values[field] if field in phase.reads else None


def _written(phase: Phase, played: Played) -> dict[str, Any]:
    """Return a collector's rows, and its games where they are carried."""
    name = str(phase.collects)
    writes: dict[str, Any] = {rollout_value(name): played.rows}
    if carried_field(name) in phase.writes:
        writes[carried_field(name)] = played.games
    return writes


def _search_key(phase: Phase, values: Values) -> Array | None:
    """Return the collector's own key of the stream `search`, where there is that stream."""
    if SEARCH not in phase.streams:
        return None
    place = CollectorKeys._fields.index(str(phase.collects))
    return jax.random.fold_in(values[stream_value(SEARCH)], place)
