"""Collect: play games against each kind of opponent, and return the rows to train on.

There is one phase for each collector under `[collect]`. Carried games are a field of the state, one
for each collector.
"""

from collections.abc import Iterator
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
from jaxpot.loop.phase import SEARCH, Field, Phase, stream_value
from jaxpot.loop.streams import CollectorKeys
from jaxpot.spec import Experiment
from jaxpot.spec.payload import collector_timer, windows_of
from jaxpot.spec.registry import part_streams


@attrs.frozen(kw_only=True)
class Opponent:
    """The opponent of a collector, as its phase declares it.

    Attributes:
        doc: What the phase does.
        reads: The fields that it reads for them.
        writes: The fields that it writes for them.
        is_network: Whether they are networks, which may have a memory.
    """

    doc: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    is_network: bool = False


def _opponent(experiment: Experiment, name: str) -> Opponent:
    entries = {"reads": ("league", "pool"), "writes": ("league",), "is_network": True}
    if name == "league":
        doc = "The agent plays the league's entries, first in half of each one's lanes."
        return Opponent(doc=doc, **entries)
    if name == "archive":
        doc = "The agent plays the archive's active entries in the same way."
        return Opponent(doc=doc, **entries)
    if name == "random":
        doc = "The agent plays uniformly random moves, first in half of the lanes."
        return Opponent(doc=doc)
    if _plays_target(experiment):
        doc = "The agent plays the target, first in half of the lanes."
        return Opponent(doc=doc, reads=("target",), is_network=True)
    return Opponent(doc="The agent plays itself; both seats are trained.")


def fields(experiment: Experiment) -> Iterator[Field]:
    if experiment.collect.start == "carried":
        for name in windows_of(experiment):
            yield Field(
                name=carried_field(name),
                init=partial(init_lanes, name),
                finite=False,  # a game may use infinities as it likes
                doc="The collector's games, which go on in the next iteration.",
            )


def phases(experiment: Experiment) -> Iterator[Phase]:
    for name, window in windows_of(experiment).items():
        opponent = _opponent(experiment, name)
        carried = (carried_field(name),) if experiment.collect.start == "carried" else ()
        yield Phase(
            name=f"collect_{name}",
            cadence=window,
            reads=(f"key.{name}", "params", "model_state", *opponent.reads, *carried),
            writes=(rollout_value(name), *opponent.writes, *carried),
            streams=part_streams(experiment.algorithm),
            timer=f"timings/{collector_timer(name)}",
            collects=name,
            implementation=build_against_entries if "league" in opponent.writes else build,
            doc=opponent.doc,
        )


def rollout_value(name: str) -> str:
    """Return the name of the value that holds a collector's rows."""
    return f"rollout.{name}"


def carried_field(name: str) -> str:
    """Return the name of the field that holds a collector's games between iterations."""
    return f"{name}_lanes"


def init_lanes(name: str, context: Context, values: Values, root_key: Array) -> Games:
    """Make a collector's carried games, none of which has begun."""
    num_envs = _config(context, name).num_envs
    return no_games(context, num_envs, remembers=_opponent(context.experiment, name).is_network)


def build(context: Context, phase: Phase) -> PhaseFunction:
    """Build the phase in which one opponent plays in all lanes: itself, the target, or random."""
    name = str(phase.collects)
    config, random = _config(context, name), name == "random"
    against_target = name == "selfplay" and _plays_target(context.experiment)

    def run(values: Values):
        played = rollout(
            context,
            values[f"key.{name}"],
            network_variables(values),
            num_envs=config.num_envs,
            opponent=values["target"] if against_target else None,
            random=random,
            search_key=_search_key(phase, values),
            games=_carried(phase, values),
        )
        if not random:
            return _written(phase, played), {}
        reward = played.result.reward / played.result.games.astype(jnp.float32)
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
        result = played.result
        scored = update_scores(table, slots, result.reward, result.games, alpha=league.score_alpha)
        ended = result.games.sum(dtype=jnp.int32).astype(jnp.float32)
        writes = {**_written(phase, played), "league": scored}
        return writes, {f"train_vs_{name}/reward": result.reward.sum() / ended}

    return run


def _plays_target(experiment: Experiment) -> bool:
    selfplay = experiment.collect.selfplay
    return selfplay is not None and selfplay.opponent == "target"


def _config(context: Context, name: str) -> Any:
    config = getattr(context.experiment.collect, name)
    if config is None:
        raise UserError("the graph has a collector that the experiment does not configure")
    return config


def _carried(phase: Phase, values: Values) -> Games | None:
    field = carried_field(str(phase.collects))
    return values[field] if field in phase.reads else None


def _written(phase: Phase, played: Played) -> dict[str, Any]:
    name = str(phase.collects)
    writes: dict[str, Any] = {rollout_value(name): played.rows}
    if carried_field(name) in phase.writes:
        writes[carried_field(name)] = played.games
    return writes


def _search_key(phase: Phase, values: Values) -> Array | None:
    """Return the collector's key of the stream `search`, for an algorithm that searches."""
    if SEARCH not in phase.streams:
        return None
    place = CollectorKeys._fields.index(str(phase.collects))
    return jax.random.fold_in(values[stream_value(SEARCH)], place)
