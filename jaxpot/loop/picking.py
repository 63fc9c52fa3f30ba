"""Picks, on the device, the rows that are written as samples, with the policy that they come from.

Axis letters: T steps, N lanes of a collector, K lanes picked, A actions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Batch, Rollout
from jaxpot.algorithms.minibatches import by_lane
from jaxpot.algorithms.policy import mask_illegal
from jaxpot.loop.context import Context
from jaxpot.models.memory import of_seat


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

        whole = by_lane(batch, start=start, steps=steps, lanes=lanes)
        rows = jax.tree.map(lambda x, lane=lane: x[:, lane], whole)
        start += steps * lanes
        picked.append(
            {
                "rows": rows,
                "lane": lane,
                "probabilities": _probabilities(context, network, rollout, lane),
                "seat": rollout.seat[:, lane],
                "ply": rollout.length[:, lane],
                "reward": rollout.reward[:, lane],
                "done": rollout.done[:, lane],
                "trained": rollout.trained[:, lane],
            }
        )
    return picked


def _probabilities(
    context: Context, network: Mapping[str, Any], rollout: Rollout, lane: Array
) -> Array:
    """Returns the network's policy over the legal actions: `[T, K, A]` float32."""

    def picked(x: Array) -> Array:
        return x[:, lane].reshape(-1, *x.shape[2:])

    observation, legal, memory, seat = jax.tree.map(
        picked, (rollout.observation, rollout.legal_action_mask, rollout.memory, rollout.seat)
    )
    carry = of_seat(memory, seat)
    outputs, _ = context.network.step(network["params"], network["model_state"], observation, carry)
    policy = jax.nn.softmax(mask_illegal(outputs.logits, legal))
    return policy.reshape(-1, lane.size, policy.shape[-1])
