"""Compute every row's targets, and join the collectors' rows into one batch.

Axis letters: T steps, N lanes, B rows of an iteration.
"""

from collections.abc import Iterator
from itertools import accumulate

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.auxiliary import auxiliary_targets
from jaxpot.algorithms.base import Batch, Rollout, Settle, settle_of
from jaxpot.algorithms.minibatches import as_rows
from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.loop.phase import Phase
from jaxpot.loop.phases.collect import rollout_value
from jaxpot.loop.plan import BATCH
from jaxpot.spec import Experiment
from jaxpot.spec.payload import windows_of
from jaxpot.spec.registry import replay_iterations


def phases(experiment: Experiment) -> Iterator[Phase]:
    yield Phase(
        name=BATCH,
        reads_if_present=tuple(map(rollout_value, windows_of(experiment))),
        writes=("batch",),
        timer="timings/concatenate_batches",
        implementation=build,
        doc="Computes every row's targets and joins the collectors' rows into one batch.",
    )


def build(context: Context, phase: Phase) -> PhaseFunction:
    lanes = lanes_of(context.experiment)
    first = dict(zip(lanes, accumulate(lanes.values(), initial=1), strict=False))

    def run(values: Values):
        batches, counts = zip(
            *(
                rows(context, values[rollout_value(name)], first_lane=first[name])
                for name in lanes
                if rollout_value(name) in values
            ),
            strict=True,
        )
        batch = jax.tree.map(lambda *parts: jnp.concatenate(parts), *batches)
        metrics = jax.tree.map(lambda *parts: sum(parts), *counts)
        collected = metrics["iteration/num_samples"].astype(jnp.float32)
        valid = metrics["iteration/num_valid_samples"].astype(jnp.float32)
        metrics["iteration/valid_percentage"] = valid / jnp.maximum(collected, 1.0)
        return {"batch": batch}, metrics

    return run


def rows(context: Context, rollout: Rollout, *, first_lane: int) -> tuple[Batch, dict[str, Array]]:
    """Return a rollout's rows with their targets, and the counts of this iteration's metrics.

    Args:
        context: The parts.
        rollout: What a collector returned, `[T, N, ...]`.
        first_lane: Number of its first lane among those of all collectors, counted from 1.
    """
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
        awaits=None if late_settle(context) is None else _awaits(rollout, first_lane),
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


def lanes_of(experiment: Experiment) -> dict[str, int]:
    """Return how many lanes each collector has, in the order of an iteration."""
    collect = experiment.collect
    return {name: getattr(collect, name).num_envs for name in windows_of(experiment)}


def late_settle(context: Context) -> Settle | None:
    """Return the function that settles targets of kept rows later; None if no row waits."""
    experiment = context.experiment
    kept = replay_iterations(experiment.algorithm) > 1 and experiment.collect.start == "carried"
    return settle_of(context.algorithm) if kept else None


def _awaits(rollout: Rollout, first_lane: int) -> Array:
    """Return the lane and seat of rows whose game goes on, 0 for the others: `[T, N]` int32."""
    over = jax.lax.cummax(rollout.done.astype(jnp.int32), axis=0, reverse=True)
    lane = first_lane + jnp.arange(over.shape[1], dtype=jnp.int32)
    return jnp.where(over == 1, 0, 2 * lane[None, :] + rollout.seat)
