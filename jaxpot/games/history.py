"""Observations that show what went before: earlier positions, and the last actions.

Axis letters: A actions, P past positions, M past actions, D the last axis of an observation.
"""

import dataclasses
from typing import Any, Generic, TypeVar

import attrs
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.errors import UserError
from jaxpot.games.base import Describing, Environment, StateT, TellsHands

EnvT = TypeVar("EnvT", bound=Environment[Any])

_NONE = -1
"""The action of a move that was not made."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Remembering(Generic[StateT]):
    """A game's state, and what its observations show of the past."""

    now: StateT
    views: Array
    """`[P, 2, *observation_shape]`: what both players were shown before, the newest first."""
    actions: Array
    """`[M]` int32: the last actions, the newest first; -1 where there was none."""

    @property
    def current_player(self) -> Array:
        """int32: the player to move."""
        return self.now.current_player

    @property
    def legal_action_mask(self) -> Array:
        """`[A]` bool: of the player to move."""
        return self.now.legal_action_mask

    @property
    def rewards(self) -> Array:
        """`[2]` float32: what the last step paid."""
        return self.now.rewards

    @property
    def terminated(self) -> Array:
        """bool: the game is over."""
        return self.now.terminated


@attrs.frozen(kw_only=True, eq=False)
class WithHistory(Generic[StateT]):
    """A game whose observations show the last positions and actions as well.

    Along the last axis stand what the player sees, what it saw at the positions before, the newest
    first, and then the last actions, whoever took them. What was not there is zero. What is past is
    kept in the state as it was seen, rather than as states to look at again: a step looks twice,
    whatever the length of the history.
    """

    env: Environment[StateT]
    positions: int
    actions: int

    @property
    def num_players(self) -> int:
        """2."""
        return self.env.num_players

    @property
    def num_actions(self) -> int:
        """A."""
        return self.env.num_actions

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """The game's own, longer in the last axis."""
        *front, last = self.env.observation_shape
        one_action = jax.eval_shape(self._show_action, jax.ShapeDtypeStruct((), jnp.int32))
        return (*front, last * self.positions + one_action.shape[-1] * self.actions)

    @property
    def observation_dtype(self) -> np.dtype[Any]:
        """The game's own."""
        return self.env.observation_dtype

    @property
    def max_steps(self) -> int:
        """The length of the longest game."""
        return self.env.max_steps

    @property
    def zero_sum(self) -> bool:
        """Whether rewards add up to zero."""
        return self.env.zero_sum

    @property
    def both_views(self) -> bool:
        """Whether the player who is not to move can be shown the position."""
        return self.env.both_views

    @property
    def deterministic(self) -> bool:
        """Whether no step draws."""
        return self.env.deterministic

    @property
    def perfect_information(self) -> bool:
        """Whether both players know the whole position."""
        return self.env.perfect_information

    @property
    def hand_size(self) -> int:
        """Entries of a hand; 0 where the game tells none."""
        return self.env.hand_size if isinstance(self.env, TellsHands) else 0

    def init(self, key: Array) -> Remembering[StateT]:
        """Deals a new game, of which nothing is past."""
        shape = (self.positions - 1, 2, *self.env.observation_shape)
        return Remembering(
            now=self.env.init(key),
            views=jnp.zeros(shape, self.env.observation_dtype),
            actions=jnp.full(self.actions, _NONE, jnp.int32),
        )

    def step(self, state: Remembering[StateT], action: Array, key: Array) -> Remembering[StateT]:
        """Plays a legal action, and keeps it with what both players were shown before it."""
        views, actions = state.views, state.actions
        if self.positions > 1:
            seen = jax.vmap(self.env.observe, in_axes=(None, 0))(state.now, jnp.arange(2))
            views = jnp.concatenate([seen[None], views[:-1]])
        if self.actions:
            actions = jnp.concatenate([jnp.int32(action)[None], actions[:-1]])
        return Remembering(now=self.env.step(state.now, action, key), views=views, actions=actions)

    def observe(self, state: Remembering[StateT], player: Array) -> Array:
        """Shows `player` the position, those before it, and the last actions."""
        parts = [self.env.observe(state.now, player)]
        if self.positions > 1:
            parts += list(jnp.where(player == 0, state.views[:, 0], state.views[:, 1]))
        if self.actions:
            parts += list(jax.vmap(self._show_action)(state.actions))
        return jnp.concatenate(parts, axis=-1)

    def opponent_hand(self, state: Remembering[StateT], player: Array) -> Array:
        """Returns what the other player holds, where the game tells."""
        if not isinstance(self.env, TellsHands):
            raise UserError("the game tells no hands")
        return self.env.opponent_hand(state.now, player)

    def describe(self, observation: np.ndarray) -> str | None:
        """Describes the newest position, where the game can."""
        if not isinstance(self.env, Describing):
            return None
        return self.env.describe(observation[..., : self.env.observation_shape[-1]])

    def _show_action(self, action: Array) -> Array:
        """Shows one action as part of an observation, in the last axis.

        On a board `[H, W, C]` with a move for each square it marks the square, and a pass beyond
        them nothing; with a move for each column, the column. Otherwise it is a one-hot vector,
        the same on every square.
        """
        front, num = self.env.observation_shape[:-1], self.env.num_actions
        taken = jax.nn.one_hot(action, num, dtype=self.env.observation_dtype)
        if len(front) == 2:
            height, width = front
            if num in (height * width, height * width + 1):
                return taken[: height * width].reshape(height, width, 1)
            if num == width:
                return jnp.broadcast_to(taken[None, :, None], (height, width, 1))
        return jnp.broadcast_to(taken, (*front, num))


def with_history(env: EnvT, *, positions: int, actions: int) -> EnvT | WithHistory[Any]:
    """Returns a game that shows the last `positions` positions, and the last `actions` actions.

    Args:
        env: The game; its observation is an array.
        positions: At least 1: the present one alone.
        actions: At least 0.

    Raises:
        UserError: The game shows several arrays, or a number, or its past would have to be seen by
            a player to whom it cannot be shown.
    """
    if positions == 1 and not actions:
        return env
    if not isinstance(env.observation_shape, tuple) or not env.observation_shape:
        raise UserError("history is kept of a game whose observation is one array with an axis")
    if positions > 1 and not env.both_views:
        raise UserError("a history of positions needs a game that both players can always see")
    return WithHistory(env=env, positions=positions, actions=actions)
