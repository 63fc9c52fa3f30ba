"""Auxiliary losses together: built, recorded in a rollout, and added up in training.

Axis letters: T steps, N lanes, B rows, K outputs of a head.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.auxiliary.base import AuxiliaryLoss
from jaxpot.errors import UserError
from jaxpot.games import Environment
from jaxpot.spec.registry import implementation

if TYPE_CHECKING:
    from jaxpot.algorithms.base import Rollout


def build_losses(
    configs: Mapping[str, Any], *, env: Environment[Any]
) -> Mapping[str, AuxiliaryLoss]:
    """Builds the auxiliary losses of an experiment, by their names.

    Raises:
        UserError: A loss refuses its config or the game, or two of them have one target.
    """
    losses: dict[str, AuxiliaryLoss] = {}
    names: dict[str, str] = {}
    for name, config in configs.items():
        loss = implementation(config)(config, env=env)
        first = names.setdefault(loss.target, name)
        if first != name:
            raise UserError(f"auxiliary losses {first} and {name} both learn {loss.target!r}")
        losses[name] = loss
    return losses


def head_widths(losses: Mapping[str, AuxiliaryLoss]) -> dict[str, int]:
    """Returns how many outputs each loss's head has, by the losses' names."""
    return {name: loss.width for name, loss in losses.items()}


def record_states(
    losses: Mapping[str, AuxiliaryLoss], env: Environment[Any], state: Any
) -> dict[str, Array]:
    """Returns what the losses want recorded of batched states before a step: `[N, ...]` each."""
    recorded = {name: loss.record(env, state) for name, loss in losses.items()}
    return {name: each for name, each in recorded.items() if each is not None}


def auxiliary_targets(
    losses: Mapping[str, AuxiliaryLoss], rollout: "Rollout", recorded: Mapping[str, Array]
) -> dict[str, tuple[Array, Array]]:
    """Computes every loss's target `[T, N, ...]`, and which rows have one, `[T, N]` bool.

    Args:
        losses: The losses by name.
        rollout: The rows.
        recorded: `[T, N, ...]`: what `record_states` gave at each step.
    """
    return {name: loss.targets(rollout, recorded.get(name)) for name, loss in losses.items()}


def auxiliary_terms(
    losses: Mapping[str, AuxiliaryLoss],
    outputs: Mapping[str, Array],
    targets: Mapping[str, tuple[Array, Array]],
    mask: Array,
) -> tuple[Array, dict[str, Array]]:
    """Computes every loss over one minibatch.

    Args:
        losses: The losses by name; there may be none.
        outputs: `[B, K]` float32: what the network's heads say.
        targets: `[B, ...]` of each, and which rows have one, `[B]` bool.
        mask: `[B]` bool: the rows that count.

    Returns:
        The weighted sum, and under the losses' own names, the payload's keys, each unweighted: its
        mean over the rows that count and have a target, 0 where there is none.
    """
    total = jnp.float32(0.0)
    metrics: dict[str, Array] = {}
    for name, loss in losses.items():
        target, known = targets[name]
        counts = mask & known
        each = jnp.where(counts, loss.loss(outputs[name], target), 0.0)
        mean = each.sum() / jnp.maximum(counts.sum(), 1)
        metrics[name] = mean
        total = total + loss.coeff * mean
    return total, metrics
