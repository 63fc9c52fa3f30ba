"""Rows from rollouts: targets computed, laid out as they are trained on, kept for a while.

Axis letters: T steps, N lanes, B rows of an iteration, R iterations that are kept.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Batch, Rollout
from jaxpot.algorithms.rows import as_rows
from jaxpot.auxiliary import auxiliary_targets
from jaxpot.graph import Phase
from jaxpot.loop.collect import rollout
from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.spec.collect import most_rows
from jaxpot.spec.registry import replay_iterations


def concatenate_batches(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that computes targets and makes the rollouts' rows one batch."""

    def run(values: Values):
        present = [values[name] for name in phase.reads_if_present if name in values]
        batches, counts = zip(*(_rows(context, each) for each in present), strict=True)
        batch = jax.tree.map(lambda *parts: jnp.concatenate(parts), *batches)
        metrics = jax.tree.map(lambda *parts: sum(parts), *counts)
        collected = metrics["iteration/num_samples"].astype(jnp.float32)
        valid = metrics["iteration/num_valid_samples"].astype(jnp.float32)
        metrics["iteration/valid_percentage"] = valid / jnp.maximum(collected, 1.0)
        return {"batch": batch}, metrics

    return run


def _rows(context: Context, rollout: Rollout) -> tuple[Batch, dict[str, Array]]:
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
        return _rows(context, played.rows)[0]

    batch = jax.eval_shape(collect)
    kept = replay_iterations(context.experiment.algorithm)
    lanes = most_rows(context.experiment.collect) // context.experiment.collect.num_steps
    room = lanes * batch.valid.shape[0]
    return jax.tree.map(lambda x: jnp.zeros((kept, room, *x.shape[1:]), x.dtype), batch)


def replay(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that keeps the batch in the place of the oldest."""
    del context, phase

    def run(values: Values):
        kept = values["replay"]
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
