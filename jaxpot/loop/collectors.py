"""The collectors' phases: whom the agent plays, and what comes of it.

As in `jaxpot.loop.phases`, each is a builder that gives a pure function.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.errors import UserError
from jaxpot.league import Table, allocate, gather, group_slots, update_scores, weights
from jaxpot.loop import Phase
from jaxpot.loop.collect import Played, rollout, rollout_groups
from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.loop.games import Games, no_games
from jaxpot.loop.phase import SEARCH, carried_field, stream_value
from jaxpot.loop.state import league_of
from jaxpot.loop.streams import CollectorKeys

ConfigT = TypeVar("ConfigT")


def collect_selfplay(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase in which the agent holds both seats, or plays the target."""
    config = _configured(context.experiment.collect.selfplay)

    def run(values: Values):
        played = rollout(
            context,
            values["key.selfplay"],
            values["params"],
            values["model_state"],
            num_envs=config.num_envs,
            opponent=values["target"] if "target" in phase.reads else None,
            search_key=_search_key(phase, values),
            games=_carried("selfplay", phase, values),
        )
        return _written("selfplay", phase, played), {}

    return run


def collect_random(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase in which the agent meets uniformly random moves."""
    config = _configured(context.experiment.collect.random)

    def run(values: Values):
        played = rollout(
            context,
            values["key.random"],
            values["params"],
            values["model_state"],
            num_envs=config.num_envs,
            random=True,
            search_key=_search_key(phase, values),
            games=_carried("random", phase, values),
        )
        reward = played.standing.reward / played.standing.games.astype(jnp.float32)
        return _written("random", phase, played), {"train_vs_random/reward": reward}

    return run


def collect_league(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase in which the agent meets the league's entries."""
    return _against_entries(context, phase, "league", lambda table: table.in_league)


def collect_archive(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase in which the agent meets the archive's active entries."""
    return _against_entries(context, phase, "archive", lambda table: table.recalled)


def _against_entries(
    context: Context, phase: Phase, name: str, playing: Callable[[Table], Array]
) -> PhaseFunction:
    """Plays the entries that `playing` picks, by their weights, and moves their scores."""
    league = league_of(context)
    collector = getattr(context.experiment.collect, name)
    groups = collector.num_envs // league.base_unit

    def run(values: Values):
        table: Table = values["league"]
        picked = playing(table)
        weight = weights(table.score, picked, temperature=league.temperature)
        counts = allocate(weight, picked, table.born, groups=groups)
        slots = group_slots(counts, table.born, groups=groups)
        played = rollout_groups(
            context,
            values[f"key.{name}"],
            values["params"],
            values["model_state"],
            gather(values["pool"], slots),
            groups=groups,
            lanes=league.base_unit,
            numbers=table.born[slots],
            search_key=_search_key(phase, values),
            games=_carried(name, phase, values),
        )
        standing = played.standing
        moved = update_scores(
            table, slots, standing.reward, standing.games, alpha=league.score_alpha
        )
        ended = standing.games.sum(dtype=jnp.int32).astype(jnp.float32)
        writes = {**_written(name, phase, played), "league": moved}
        return writes, {f"train_vs_{name}/reward": standing.reward.sum() / ended}

    return run


def _init_lanes(name: str, context: Context, values: Mapping[str, Any], root_key: Array) -> Games:
    """Makes the field of a collector's carried games, before any game has begun."""
    del values, root_key
    collector = _configured(getattr(context.experiment.collect, name))
    against_network = name in ("league", "archive") or (
        name == "selfplay" and collector.opponent == "target"
    )
    return no_games(context, collector.num_envs, remembers=against_network)


init_selfplay_lanes = partial(_init_lanes, "selfplay")
init_random_lanes = partial(_init_lanes, "random")
init_league_lanes = partial(_init_lanes, "league")
init_archive_lanes = partial(_init_lanes, "archive")


def _carried(name: str, phase: Phase, values: Values) -> Games | None:
    """Returns the games that a collector goes on with; None where every lane begins a new game."""
    field = carried_field(name)
    return values[field] if field in phase.reads else None


def _written(name: str, phase: Phase, played: Played) -> dict[str, Any]:
    """Returns a collector's rows, and its games where they are carried."""
    writes: dict[str, Any] = {f"rollout.{name}": played.rows}
    if carried_field(name) in phase.writes:
        writes[carried_field(name)] = played.games
    return writes


def _configured(config: ConfigT | None) -> ConfigT:
    if config is None:
        raise UserError("the graph has a collector that the experiment does not configure")
    return config


def _search_key(phase: Phase, values: Values) -> Array | None:
    """Returns the collector's own key of the stream `search`, where there is that stream."""
    if SEARCH not in phase.streams:
        return None
    place = CollectorKeys._fields.index(phase.name.removeprefix("collect_"))
    return jax.random.fold_in(values[stream_value(SEARCH)], place)
