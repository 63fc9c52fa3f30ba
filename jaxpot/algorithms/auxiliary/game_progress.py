"""Predict how far a game has come, as an auxiliary loss.

Axis letters: T steps, N lanes, B rows.
"""

from typing import Any, ClassVar

import attrs
import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Rollout
from jaxpot.games import Environment
from jaxpot.spec.configs.auxiliary import GameProgress


@attrs.frozen(kw_only=True, eq=False)
class ProgressLoss:
    """Predict the step of the game over the longest game's length, by a sigmoid head."""

    target: ClassVar[str] = GameProgress.target
    width: ClassVar[int] = 1

    coeff: float
    max_steps: int

    def record(self, env: Environment[Any], state: Any) -> None:
        """Record nothing: the rollout counts the steps."""

    def targets(self, rollout: Rollout, recorded: Array | None) -> tuple[Array, Array]:
        """Return `[T, N]` float32 from 0 to below 1; every row has one."""
        del recorded
        return rollout.length / jnp.float32(self.max_steps), jnp.ones_like(rollout.done)

    def loss(self, output: Array, target: Array) -> Array:
        """Compute the binary cross-entropy of `[B, 1]` logits and `[B]` targets: `[B]`."""
        logit = output[:, 0]
        return jax.nn.softplus(logit) - target * logit


def build(config: GameProgress, *, env: Environment[Any]) -> ProgressLoss:
    """Build the loss of kind `game_progress`."""
    return ProgressLoss(coeff=config.coeff, max_steps=env.max_steps)
