"""The built-in auxiliary losses: how far the game is, and the opponent's hidden cards.

Axis letters: T steps, N lanes, B rows, K entries of a hand.
"""

from typing import Any, ClassVar

import attrs
import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Rollout
from jaxpot.errors import UserError
from jaxpot.games import Environment
from jaxpot.games.base import TellsHands
from jaxpot.spec.configs.auxiliary import GameProgress, OpponentHand


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


def build_game_progress(config: GameProgress, *, env: Environment[Any]) -> ProgressLoss:
    """Build the loss of kind `game_progress`."""
    return ProgressLoss(coeff=config.coeff, max_steps=env.max_steps)


@attrs.frozen(kw_only=True, eq=False)
class HandLoss:
    """Predict the other player's hand, by a softmax head."""

    target: ClassVar[str] = OpponentHand.target

    coeff: float
    width: int

    def record(self, env: Environment[Any], state: Any) -> Array:
        """Record `[N, K]` float32: the hand of the opponent of the player to move."""
        return jax.vmap(_hands_of(env).opponent_hand)(state, state.current_player)

    def targets(self, rollout: Rollout, recorded: Array | None) -> tuple[Array, Array]:
        """Return the recorded hands, `[T, N, K]`; every row has one."""
        if recorded is None:
            raise ValueError("the opponents' hands were not recorded")
        return recorded, jnp.ones_like(rollout.done)

    def loss(self, output: Array, target: Array) -> Array:
        """Compute the cross-entropy of `[B, K]` logits and `[B, K]` hands: `[B]`."""
        return -(target * jax.nn.log_softmax(output)).sum(axis=-1)


def build_opponent_hand(config: OpponentHand, *, env: Environment[Any]) -> HandLoss:
    """Build the loss of kind `opponent_hand`.

    Raises:
        UserError: The game does not tell hands.
    """
    return HandLoss(coeff=config.coeff, width=_hands_of(env).hand_size)


def _hands_of(env: Environment[Any]) -> TellsHands:
    if not isinstance(env, TellsHands) or not env.hand_size:
        raise UserError("opponent_hand: the game tells no hands; see jaxpot.games.base.TellsHands")
    return env
