"""A game of forty moves, paid at its end only: the player with more points has won."""

import dataclasses
from typing import Any

import attrs
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

MOVES = 40


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LongState:
    """Moves made, points by player, and the fields of every state."""

    moves: Array
    points: Array
    current_player: Array
    rewards: Array
    terminated: Array

    @property
    def legal_action_mask(self) -> Array:
        return jnp.ones((*jnp.shape(self.moves), 2), jnp.bool_)


@attrs.frozen(kw_only=True)
class LongGame:
    """A user's own game and its config at once; action 1 takes a point, action 0 nothing."""

    num_players = 2
    num_actions = 2
    observation_shape = (2,)
    observation_dtype = np.dtype("float32")
    max_steps = MOVES
    zero_sum = True
    both_views = True
    deterministic = True
    perfect_information = True

    def build(self) -> "LongGame":
        return self

    def init(self, key: Array) -> LongState:
        return LongState(
            moves=jnp.int32(0),
            points=jnp.zeros(2),
            current_player=jax.random.bernoulli(key).astype(jnp.int32),
            rewards=jnp.zeros(2),
            terminated=jnp.bool_(False),
        )

    def step(self, state: LongState, action: Array, key: Array) -> LongState:
        del key
        mover = state.current_player
        points = state.points.at[mover].add(action.astype(jnp.float32))
        over = state.moves + 1 >= MOVES
        ahead = jnp.sign(points[0] - points[1])
        return LongState(
            moves=state.moves + 1,
            points=points,
            current_player=1 - mover,
            rewards=jnp.where(over, jnp.stack([ahead, -ahead]), 0.0),
            terminated=over,
        )

    def observe(self, state: LongState, player: Any) -> Array:
        ahead = state.points[player] - state.points[1 - player]
        return jnp.stack([state.moves / MOVES, ahead / 5.0])
