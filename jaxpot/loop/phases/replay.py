"""Keep the rows of the last iterations, and train on all of them.

Where an algorithm settles targets late, a kept row waits for the end of its game, which goes on in
its lane: each iteration adds the rewards of its seat, until the game ends. Rows of a game that was
given up, because the lane now plays another opponent, stop waiting.

Axis letters: B rows of an iteration, R iterations that are kept; L is 1 plus the lanes of all
collectors, in their order, whether they are on or off. Lane 0 stands for no lane.
"""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Batch, Rollout, Settle
from jaxpot.loop.collect import rollout
from jaxpot.loop.context import Context, PhaseFunction, Values, network_variables
from jaxpot.loop.phase import Field, Phase
from jaxpot.loop.phases.collect import rollout_value
from jaxpot.loop.phases.concatenate_batches import lanes_of, late_settle, rows
from jaxpot.spec import Experiment
from jaxpot.spec.configs.collect import most_rows
from jaxpot.spec.registry import replay_iterations


def fields(experiment: Experiment) -> tuple[Field, ...]:
    """Declare `replay`, for an algorithm that trains on more than the newest rows."""
    if replay_iterations(experiment.algorithm) == 1:
        return ()
    return (Field(name="replay", init=init_replay, doc="The rows of the last iterations."),)


def phases(experiment: Experiment) -> tuple[Phase, ...]:
    """Declare the phase, for such an algorithm."""
    if replay_iterations(experiment.algorithm) == 1:
        return ()
    carried = lanes_of(experiment) if experiment.collect.start == "carried" else ()
    return (
        Phase(
            name="replay",
            where="device",
            program="iteration",
            reads=("batch", "replay", "iteration"),
            reads_if_present=tuple(map(rollout_value, carried)),
            writes=("replay",),
            implementation=build,
            doc="Tells kept rows how their games went on, and keeps the batch in place of the "
            "oldest.",
        ),
    )


def init_replay(context: Context, values: Values, root_key: Array) -> Any:
    """Make room for the rows of the last iterations, none of which counts yet: `[R, B, ...]`."""

    def collect() -> Batch:
        agent = network_variables(values)
        played = rollout(context, root_key, agent, num_envs=1, search_key=root_key)
        return rows(context, played.rows, first_lane=1)[0]

    batch = jax.eval_shape(collect)
    kept = replay_iterations(context.experiment.algorithm)
    lanes = most_rows(context.experiment.collect) // context.experiment.collect.num_steps
    room = lanes * batch.valid.shape[0]
    return jax.tree.map(lambda x: jnp.zeros((kept, room, *x.shape[1:]), x.dtype), batch)


def build(context: Context, phase: Phase) -> PhaseFunction:
    """Build the phase."""
    del phase
    settle, lanes = late_settle(context), lanes_of(context.experiment)

    def run(values: Values):
        kept = values["replay"]
        if settle is not None:
            seen = [
                _first_games(values[rollout_value(name)])
                if rollout_value(name) in values
                else _nothing(number)
                for name, number in lanes.items()
            ]
            kept = _settled(settle, kept, _nothing(1), *seen)
        slot = values["iteration"] % jax.tree.leaves(kept)[0].shape[0]

        def put(old: Array, new: Array) -> Array:
            # An iteration in which some collectors are off has fewer rows.
            missing = old.shape[1] - new.shape[0]
            full = jnp.pad(new, [(0, missing)] + [(0, 0)] * (new.ndim - 1))
            return old.at[slot].set(full)

        return {"replay": jax.tree.map(put, kept, values["batch"])}, {}

    return run


def kept_rows(kept: Batch) -> Batch:
    """Return the rows of all the iterations that are kept as one batch, `[R * B, ...]`."""
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), kept)


class _Since(NamedTuple):
    """How the games went on that were in play when an iteration began."""

    paid: Array
    """`[L, 2]` float32: rewards of each seat, up to the game's end."""
    ended: Array
    """`[L]` bool: whether the game has ended."""
    gone: Array
    """`[L]` bool: whether it has ended or was given up."""


def _first_games(rollout: Rollout) -> _Since:
    """Return how the first game in each lane of a rollout went on, if it was carried."""
    carried = rollout.length[0] > 0
    ends = rollout.done.astype(jnp.int32)
    counts = carried[None, :] & (jnp.cumsum(ends, axis=0) == ends)
    ended = rollout.done.any(axis=0)
    paid = jnp.where(counts[..., None], rollout.reward, 0.0).sum(axis=0)
    return _Since(paid, ended & carried, ended | ~carried)


def _nothing(lanes: int) -> _Since:
    """Return that nothing has happened, in the lanes of a collector that is off."""
    none = jnp.zeros(lanes, jnp.bool_)
    return _Since(jnp.zeros((lanes, 2)), none, none)


def _settled(settle: Settle, kept: Batch, *seen: _Since) -> Batch:
    """Add the games' new rewards to the rows that wait; `seen` is in the collectors' order."""
    since = jax.tree.map(lambda *lanes: jnp.concatenate(lanes), *seen)
    awaits = cast(Array, kept.awaits)
    lane, seat = awaits // 2, awaits % 2
    targets = settle(kept.targets, since.paid[lane, seat], since.ended[lane])
    return kept._replace(targets=targets, awaits=jnp.where(since.gone[lane], 0, awaits))
