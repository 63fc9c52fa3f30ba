"""Auxiliary losses: the contract of one, and all of an experiment's together.

An auxiliary loss records something in the rollout, and trains a head of the network to predict it.

Axis letters: T steps, N lanes, B rows, K outputs of a head.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Rollout
from jaxpot.errors import UserError
from jaxpot.games import Environment
from jaxpot.spec.registry import implementation


class AuxiliaryLoss(Protocol):
    """A prediction task that a network learns in addition; frozen, without arrays.

    Its head is a dense layer on the network's features. The loss trains the head and what is below
    it; play does not evaluate the head.
    """

    @property
    def target(self) -> str:
        """The name of the predicted quantity; a network predicts each one once."""
        ...

    @property
    def width(self) -> int:
        """K."""
        ...

    @property
    def coeff(self) -> float:
        """The loss's weight in the sum of all losses."""
        ...

    def record(self, env: Environment[Any], state: Any) -> Array | None:
        """Read `[N, ...]` off the batched states before a step, to be kept with the rollout.

        It may read what players cannot see; it draws nothing. Return None if the fields of the
        rollout are enough.
        """
        ...

    def targets(self, rollout: Rollout, recorded: Array | None) -> tuple[Array, Array]:
        """Compute the targets of the head.

        Args:
            rollout: The rows, `[T, N, ...]`. A lane may begin in the middle of a game.
            recorded: `[T, N, ...]`, what `record` returned at each step; None if it returned None.

        Returns:
            The target `[T, N, ...]`, of the seat that acted, and which rows have one, `[T, N]`
            bool: rows of a game that the rollout cut short may have none, for example.
        """
        ...

    def loss(self, output: Array, target: Array) -> Array:
        """Compare the head's outputs `[B, K]` float32 with `[B, ...]`: `[B]` float32, finite."""
        ...


def build_losses(
    configs: Mapping[str, Any], *, env: Environment[Any]
) -> Mapping[str, AuxiliaryLoss]:
    """Build the auxiliary losses of an experiment, by their names.

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
    """Return the number of outputs of each loss's head, by the losses' names."""
    return {name: loss.width for name, loss in losses.items()}


def record_states(
    losses: Mapping[str, AuxiliaryLoss], env: Environment[Any], state: Any
) -> dict[str, Array]:
    """Return what the losses record of batched states before a step: `[N, ...]` each."""
    recorded = {name: loss.record(env, state) for name, loss in losses.items()}
    return {name: each for name, each in recorded.items() if each is not None}


def auxiliary_targets(
    losses: Mapping[str, AuxiliaryLoss], rollout: Rollout, recorded: Mapping[str, Array]
) -> dict[str, tuple[Array, Array]]:
    """Compute every loss's target `[T, N, ...]`, and which rows have one, `[T, N]` bool.

    Args:
        losses: The losses by name.
        rollout: The rows.
        recorded: `[T, N, ...]`: what `record_states` returned at each step.
    """
    return {name: loss.targets(rollout, recorded.get(name)) for name, loss in losses.items()}


def auxiliary_terms(
    losses: Mapping[str, AuxiliaryLoss],
    outputs: Mapping[str, Array],
    targets: Mapping[str, tuple[Array, Array]],
    mask: Array,
) -> tuple[Array, dict[str, Array]]:
    """Compute every loss over one minibatch.

    Args:
        losses: The losses by name; there may be none.
        outputs: `[B, K]` float32: the outputs of the network's heads.
        targets: `[B, ...]` of each, and which rows have one, `[B]` bool.
        mask: `[B]` bool: the rows that count.

    Returns:
        The weighted sum, and each loss unweighted under its name, which is its payload key: the
        mean over the rows that count and have a target, 0 if there are none.
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
