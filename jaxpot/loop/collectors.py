"""The collectors' phases: whom the agent plays, and what comes of it.

As in `jaxpot.loop.phases`, each is a builder that gives a pure function.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxpot.errors import UserError
from jaxpot.graph import Phase
from jaxpot.league import Table, allocate, gather, group_slots, update_scores, weights
from jaxpot.loop.collect import (
    Opponent,
    network_opponent,
    random_opponent,
    rollout,
    rollout_groups,
)
from jaxpot.loop.context import Context
from jaxpot.loop.phases import PhaseFunction, Values
from jaxpot.loop.state import league_of
from jaxpot.spec import RandomCollector, SelfplayCollector


def collect_selfplay(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase in which the agent holds both seats, or plays the target."""
    play = _collector(context, context.experiment.collect.selfplay)

    def run(values: Values):
        opponent = None
        if "target" in phase.reads:
            opponent = network_opponent(context.algorithm, values["target"])
        rows, _ = play(
            values["key.selfplay"], values["params"], values["model_state"], opponent=opponent
        )
        return {"rollout.selfplay": rows}, {}

    return run


def collect_random(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase in which the agent meets uniformly random moves."""
    del phase
    play = _collector(context, context.experiment.collect.random)

    def run(values: Values):
        rows, standing = play(
            values["key.random"], values["params"], values["model_state"], opponent=random_opponent
        )
        reward = standing.reward / standing.games.astype(jnp.float32)
        return {"rollout.random": rows}, {"train_vs_random/reward": reward}

    return run


def _collector(context: Context, config: SelfplayCollector | RandomCollector | None):
    if config is None:
        raise UserError("the graph has a collector that the experiment does not configure")

    def play(key: Array, params: Any, model_state: Any, *, opponent: Opponent | None):
        return rollout(
            key,
            params,
            model_state,
            env=context.env,
            network=context.network,
            algorithm=context.algorithm,
            num_envs=config.num_envs,
            num_steps=context.experiment.collect.num_steps,
            opponent=opponent,
        )

    return play


def collect_league(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase in which the agent meets the league's entries."""
    del phase
    return _against_entries(context, "league", lambda table: table.in_league)


def collect_archive(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase in which the agent meets the archive's active entries."""
    del phase
    return _against_entries(context, "archive", lambda table: table.recalled)


def _against_entries(
    context: Context, name: str, playing: Callable[[Table], Array]
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
            values[f"key.{name}"],
            values["params"],
            values["model_state"],
            gather(values["pool"], slots),
            env=context.env,
            network=context.network,
            algorithm=context.algorithm,
            groups=groups,
            lanes=league.base_unit,
            num_steps=context.experiment.collect.num_steps,
        )
        moved = update_scores(
            table, slots, standing.reward, standing.games, alpha=league.score_alpha
        )
        games = standing.games.sum(dtype=jnp.int32).astype(jnp.float32)
        writes = {f"rollout.{name}": rows, "league": moved}
        return writes, {f"train_vs_{name}/reward": standing.reward.sum() / games}

    return run
