"""The collectors' phases: whom the agent plays, and what comes of it.

As in `jaxpot.loop.phases`, each is a builder that gives a pure function.
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.errors import UserError
from jaxpot.graph import Phase
from jaxpot.graph.phase import SEARCH, stream_value
from jaxpot.league import Table, allocate, gather, group_slots, update_scores, weights
from jaxpot.loop.collect import rollout, rollout_groups
from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.loop.state import league_of
from jaxpot.loop.streams import CollectorKeys

ConfigT = TypeVar("ConfigT")


def collect_selfplay(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase in which the agent holds both seats, or plays the target."""
    config = _configured(context.experiment.collect.selfplay)

    def run(values: Values):
        rows, _ = rollout(
            context,
            values["key.selfplay"],
            values["params"],
            values["model_state"],
            num_envs=config.num_envs,
            opponent=values["target"] if "target" in phase.reads else None,
            search_key=_search_key(phase, values),
        )
        return {"rollout.selfplay": rows}, {}

    return run


def collect_random(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase in which the agent meets uniformly random moves."""
    config = _configured(context.experiment.collect.random)

    def run(values: Values):
        rows, standing = rollout(
            context,
            values["key.random"],
            values["params"],
            values["model_state"],
            num_envs=config.num_envs,
            random=True,
            search_key=_search_key(phase, values),
        )
        reward = standing.reward / standing.games.astype(jnp.float32)
        return {"rollout.random": rows}, {"train_vs_random/reward": reward}

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
        rows, standing = rollout_groups(
            context,
            values[f"key.{name}"],
            values["params"],
            values["model_state"],
            gather(values["pool"], slots),
            groups=groups,
            lanes=league.base_unit,
            search_key=_search_key(phase, values),
        )
        moved = update_scores(
            table, slots, standing.reward, standing.games, alpha=league.score_alpha
        )
        games = standing.games.sum(dtype=jnp.int32).astype(jnp.float32)
        writes = {f"rollout.{name}": rows, "league": moved}
        return writes, {f"train_vs_{name}/reward": standing.reward.sum() / games}

    return run


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
