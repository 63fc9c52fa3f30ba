"""Picks, on the device, the rows that are written as samples, with the policy that they come from.

Axis letters: T steps, N lanes of a collector, K lanes picked, A actions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Batch, Rollout
from jaxpot.algorithms.policy import mask_illegal
from jaxpot.loop.context import Context


def pick_samples(
    context: Context,
    rollouts: Sequence[Rollout],
    batch: Batch,
    network: Mapping[str, Any],
    *,
    count: int,
) -> list[dict[str, Any]]:
    """Returns, of each collector, rows of the batch and what that does not say: `[T, K, ...]`.

    Args:
        context: The parts.
        rollouts: What the collectors gave, in the order in which they are in the batch.
        batch: All rows.
        network: The parameters and the model state that the agent played with.
        count: Rows that are wanted in all; K lanes have at least each collector's share.
    """
    picked: list[dict[str, Any]] = []
    start = 0
    for rollout in rollouts:
        steps, lanes = rollout.action.shape
        wanted = -(-count // len(rollouts))
        taken = min(lanes, -(-wanted // steps))
        # Spread over the lanes: the agent moves first in some, and opponents have lanes each.
        lane = jnp.arange(taken) * (lanes // taken)

        def of_batch(x: Array, start=start, steps=steps, lanes=lanes, lane=lane) -> Array:
            whole = x[start : start + steps * lanes]
            return whole.reshape(steps, lanes, *x.shape[1:])[:, lane]

        rows = jax.tree.map(of_batch, batch)
        start += steps * lanes
        picked.append(
            {
                "rows": rows,
                "lane": lane,
                "probabilities": _probabilities(context, network, rows),
                "seat": rollout.seat[:, lane],
                "reward": rollout.reward[:, lane],
                "done": rollout.done[:, lane],
                "trained": rollout.trained[:, lane],
            }
        )
    return picked


def _probabilities(context: Context, network: Mapping[str, Any], rows: Batch) -> Array:
    """Returns the network's policy over the legal actions: `[T, K, A]` float32."""
    steps, lanes = rows.action.shape
    observation = rows.observation.reshape(steps * lanes, *rows.observation.shape[2:])
    logits, _ = context.network.apply(network["params"], network["model_state"], observation)
    logits = logits.reshape(rows.legal_action_mask.shape)
    return jax.nn.softmax(mask_illegal(logits, rows.legal_action_mask))
