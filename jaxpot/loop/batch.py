"""Rows from rollouts: targets computed, laid out as they are trained on, kept for a while.

Where an algorithm settles targets late, a kept row waits for the end of its game, which goes on in
its lane: every iteration adds what its seat was paid, up to the game's end. Rows of a game that was
given up, because the lane plays another opponent now, wait no longer.

Axis letters: T steps, N lanes, B rows of an iteration, R iterations that are kept; L is 1 and the
lanes of all collectors, in their order, whether they are on or off. Lane 0 stands for no lane.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.auxiliary import auxiliary_targets
from jaxpot.algorithms.base import Batch, Rollout, Settle, settle_of
from jaxpot.algorithms.minibatches import as_rows
from jaxpot.loop import Phase
from jaxpot.loop.collect import rollout
from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.spec.configs.collect import most_rows
from jaxpot.spec.registry import replay_iterations


def concatenate_batches(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that computes targets and makes the rollouts' rows one batch."""

    lanes = _lanes(context, phase.reads_if_present)
    first = dict(zip(lanes, accumulate(lanes.values(), initial=1), strict=False))

    def run(values: Values):
        present = [name for name in phase.reads_if_present if name in values]
        batches, counts = zip(
            *(_rows(context, values[name], first_lane=first[name]) for name in present), strict=True
        )
        batch = jax.tree.map(lambda *parts: jnp.concatenate(parts), *batches)
        metrics = jax.tree.map(lambda *parts: sum(parts), *counts)
        collected = metrics["iteration/num_samples"].astype(jnp.float32)
        valid = metrics["iteration/num_valid_samples"].astype(jnp.float32)
        metrics["iteration/valid_percentage"] = valid / jnp.maximum(collected, 1.0)
        return {"batch": batch}, metrics

    return run


def _rows(context: Context, rollout: Rollout, *, first_lane: int) -> tuple[Batch, dict[str, Array]]:
    """Returns a rollout's rows, and what is counted of them."""
    seq_len = None
    if context.network.recurrent:
        seq_len = context.algorithm.seq_len or rollout.done.shape[0]
    targets, known = context.algorithm.targets(rollout)
    batch = Batch(
        observation=rollout.observation,
        legal_action_mask=rollout.legal_action_mask,
        action=rollout.action,
        extras=rollout.extras,
        targets=targets,
        valid=rollout.trained & known,
        auxiliary=auxiliary_targets(context.auxiliary, rollout, rollout.recorded),
        awaits=None if _settle(context) is None else _awaits(rollout, first_lane),
    )
    ended_seats = jnp.where(rollout.done, rollout.trained_seats, 0)
    counts = {
        "iteration/rollouts": ended_seats.sum(dtype=jnp.int32),
        "iteration/episodes": rollout.done.sum(dtype=jnp.int32),
        "iteration/num_samples": rollout.trained.sum(dtype=jnp.int32),
        "iteration/num_valid_samples": batch.valid.sum(dtype=jnp.int32),
        "iteration/env_steps": jnp.int32(rollout.done.size),
    }
    return as_rows(batch, rollout, seq_len=seq_len), counts


def init_replay(context: Context, values: Mapping[str, Any], root_key: Array) -> Any:
    """Makes room for the rows of the last iterations, none of which counts yet: `[R, B, ...]`."""

    def collect() -> Batch:
        network = values["params"], values["model_state"]
        played = rollout(context, root_key, *network, num_envs=1, search_key=root_key)
        return _rows(context, played.rows, first_lane=1)[0]

    batch = jax.eval_shape(collect)
    kept = replay_iterations(context.experiment.algorithm)
    lanes = most_rows(context.experiment.collect) // context.experiment.collect.num_steps
    room = lanes * batch.valid.shape[0]
    return jax.tree.map(lambda x: jnp.zeros((kept, room, *x.shape[1:]), x.dtype), batch)


def replay(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that settles what is kept and puts the batch in the place of the oldest."""
    settle, lanes = _settle(context), _lanes(context, phase.reads_if_present)

    def run(values: Values):
        kept = values["replay"]
        if settle is not None:
            seen = [
                _first_games(values[name]) if name in values else _nothing(number)
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
    """Returns the rows of all the iterations that are kept as one batch, `[R * B, ...]`."""
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), kept)


class _Since(NamedTuple):
    """What an iteration has brought of the games that were in play when it began."""

    paid: Array
    """`[L, 2]` float32: to each seat, up to the game's end."""
    ended: Array
    """`[L]` bool: whether the game has ended."""
    gone: Array
    """`[L]` bool: whether it has ended or was given up."""


def _settle(context: Context) -> Settle | None:
    """Returns how kept targets are settled; None where nothing is kept or carried on."""
    experiment = context.experiment
    kept = replay_iterations(experiment.algorithm) > 1 and experiment.collect.start == "carried"
    return settle_of(context.algorithm) if kept else None


def _lanes(context: Context, rollouts: Sequence[str]) -> dict[str, int]:
    """Returns how many lanes each rollout has where its collector is on."""
    collect = context.experiment.collect
    return {name: getattr(collect, name.removeprefix("rollout.")).num_envs for name in rollouts}


def _awaits(rollout: Rollout, first_lane: int) -> Array:
    """Returns the lane and the seat of rows whose game goes on, 0 of the others: `[T, N]` int32."""
    over = jax.lax.cummax(rollout.done.astype(jnp.int32), axis=0, reverse=True)
    lane = first_lane + jnp.arange(over.shape[1], dtype=jnp.int32)
    return jnp.where(over == 1, 0, 2 * lane[None, :] + rollout.seat)


def _first_games(rollout: Rollout) -> _Since:
    """Returns what became of the games that were going on in the lanes when the rollout began."""
    carried = rollout.length[0] > 0
    ends = rollout.done.astype(jnp.int32)
    counts = carried[None, :] & (jnp.cumsum(ends, axis=0) == ends)
    ended = rollout.done.any(axis=0)
    paid = jnp.where(counts[..., None], rollout.reward, 0.0).sum(axis=0)
    return _Since(paid, ended & carried, ended | ~carried)


def _nothing(lanes: int) -> _Since:
    """Returns that nothing has happened, in the lanes of a collector that is off."""
    none = jnp.zeros(lanes, jnp.bool_)
    return _Since(jnp.zeros((lanes, 2)), none, none)


def _settled(settle: Settle, kept: Batch, *seen: _Since) -> Batch:
    """Adds what the games brought to the rows that wait; lanes are in the collectors' order."""
    since = jax.tree.map(lambda *lanes: jnp.concatenate(lanes), *seen)
    awaits = cast(Array, kept.awaits)
    lane, seat = awaits // 2, awaits % 2
    targets = settle(kept.targets, since.paid[lane, seat], since.ended[lane])
    return kept._replace(targets=targets, awaits=jnp.where(since.gone[lane], 0, awaits))
