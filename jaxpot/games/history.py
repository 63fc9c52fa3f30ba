"""Observations that also show the past: earlier positions, and the last actions.

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
"""Stands for the actions before the game's first."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Remembering(Generic[StateT]):
    """A game's state (see `EnvState`), with the past that its observations show."""

    now: StateT
    views: Array
    """`[P, 2, *observation_shape]`: the earlier observations of both players, newest first."""
    actions: Array
    """`[M]` int32: the last actions, newest first; -1 before the game's first."""

    @property
    def current_player(self) -> Array:
        return self.now.current_player

    @property
    def legal_action_mask(self) -> Array:
        return self.now.legal_action_mask

    @property
    def rewards(self) -> Array:
        return self.now.rewards

    @property
    def terminated(self) -> Array:
        return self.now.terminated


@attrs.frozen(kw_only=True, eq=False)
class WithHistory(Generic[StateT]):
    """A game whose observations show the last positions and actions as well.

    The last axis holds the player's observation, its observations of the positions before, newest
    first, and then the last actions of both players. Positions and actions before the game's first
    are zero. The state keeps past observations instead of past states, so that a step computes two
    observations whatever the length of the history.
    """

    env: Environment[StateT]
    positions: int
    actions: int
    num_players: int
    num_actions: int
    observation_dtype: np.dtype[Any]
    max_steps: int
    zero_sum: bool
    both_views: bool
    deterministic: bool
    perfect_information: bool
    hand_size: int
    """The fields from `num_players` on are the game's."""

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """The game's shape, longer in the last axis."""
        *front, last = self.env.observation_shape
        one_action = jax.eval_shape(self._show_action, jax.ShapeDtypeStruct((), jnp.int32))
        return (*front, last * self.positions + one_action.shape[-1] * self.actions)

    def init(self, key: Array) -> Remembering[StateT]:
        """Deal a new game, without a past."""
        shape = (self.positions - 1, 2, *self.env.observation_shape)
        return Remembering(
            now=self.env.init(key),
            views=jnp.zeros(shape, self.env.observation_dtype),
            actions=jnp.full(self.actions, _NONE, jnp.int32),
        )

    def step(self, state: Remembering[StateT], action: Array, key: Array) -> Remembering[StateT]:
        """Play a legal action; keep it with both players' observations before it."""
        views, actions = state.views, state.actions
        if self.positions > 1:
            seen = jax.vmap(self.env.observe, in_axes=(None, 0))(state.now, jnp.arange(2))
            views = jnp.concatenate([seen[None], views[:-1]])
        if self.actions:
            actions = jnp.concatenate([jnp.int32(action)[None], actions[:-1]])
        return Remembering(now=self.env.step(state.now, action, key), views=views, actions=actions)

    def observe(self, state: Remembering[StateT], player: Array) -> Array:
        """Show `player` the position, the ones before it, and the last actions."""
        parts = [self.env.observe(state.now, player)]
        if self.positions > 1:
            parts += list(jnp.where(player == 0, state.views[:, 0], state.views[:, 1]))
        if self.actions:
            parts += list(jax.vmap(self._show_action)(state.actions))
        return jnp.concatenate(parts, axis=-1)

    def opponent_hand(self, state: Remembering[StateT], player: Array) -> Array:
        """Return the other player's hand, if the game tells hands."""
        if not isinstance(self.env, TellsHands):
            raise UserError("the game tells no hands")
        return self.env.opponent_hand(state.now, player)

    def describe(self, observation: np.ndarray) -> str | None:
        """Describe the newest position, if the game can."""
        if not isinstance(self.env, Describing):
            return None
        return self.env.describe(observation[..., : self.env.observation_shape[-1]])

    def _show_action(self, action: Array) -> Array:
        """Encode one action as a part of an observation's last axis.

        On a board `[H, W, C]` with one move per square it marks the square, and nothing for a pass;
        with one move per column it marks the column. Otherwise it is a one-hot vector, the same on
        every square.
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
    """Return a game that shows the last `positions` positions, and the last `actions` actions.

    Args:
        env: The game; its observation is an array.
        positions: At least 1, which is the present one alone.
        actions: At least 0.

    Raises:
        UserError: The game shows several arrays, or a number; or it cannot show positions to the
            player who is not to move, which a history of positions needs.
    """
    if positions == 1 and not actions:
        return env
    if not isinstance(env.observation_shape, tuple) or not env.observation_shape:
        raise UserError("a history needs a game whose observation is one array with an axis")
    if positions > 1 and not env.both_views:
        raise UserError(
            "a history of positions needs a game that can show every position to both players"
        )
    return WithHistory(
        env=env,
        positions=positions,
        actions=actions,
        num_players=env.num_players,
        num_actions=env.num_actions,
        observation_dtype=env.observation_dtype,
        max_steps=env.max_steps,
        zero_sum=env.zero_sum,
        both_views=env.both_views,
        deterministic=env.deterministic,
        perfect_information=env.perfect_information,
        hand_size=env.hand_size if isinstance(env, TellsHands) else 0,
    )
