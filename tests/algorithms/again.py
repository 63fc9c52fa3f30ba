"""A tiny game in which a player may move twice, and its rules again in plain Python.

A heap of counters: whoever takes one of an odd number moves again. Every counter taken pays its
taker a tenth, and the last one a whole more. What the other player gets is the negative.
"""

import dataclasses
from functools import cache
from typing import Any

import attrs
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

HEAP = 6


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class AgainState:
    heap: Array
    current_player: Array
    rewards: Array
    terminated: Array

    @property
    def legal_action_mask(self) -> Array:
        return jnp.stack([self.heap >= taken for taken in (1, 2)], axis=-1)


@attrs.frozen(kw_only=True, eq=False)
class Again:
    """Actions 0 and 1 take one and two; a state after the end is a wild one."""

    num_players: int = 2
    num_actions: int = 2
    observation_shape: tuple[int, ...] = (1,)
    observation_dtype: np.dtype[Any] = attrs.field(default="int32", converter=np.dtype)
    max_steps: int = HEAP
    zero_sum: bool = True
    both_views: bool = True
    deterministic: bool = True
    perfect_information: bool = True

    def init(self, key: Array) -> AgainState:
        del key
        return at(HEAP, 0)

    def step(self, state: AgainState, action: Array, key: Array) -> AgainState:
        del key
        heap = state.heap - (action + 1)
        paid = (action + 1) / 10 + (heap == 0)
        again = (action == 0) & (state.heap % 2 == 1)
        mine = jnp.arange(2) == state.current_player
        return AgainState(
            heap=heap,
            current_player=jnp.where(again, state.current_player, 1 - state.current_player),
            rewards=jnp.where(mine, paid, -paid).astype(jnp.float32),
            terminated=heap == 0,
        )

    def observe(self, state: AgainState, player: Array) -> Array:
        del player
        return state.heap[None]


def at(heap: int, player: int) -> AgainState:
    """Returns the state with so many counters left and that player to move."""
    return AgainState(
        heap=jnp.int32(heap),
        current_player=jnp.int32(player),
        rewards=jnp.zeros(2),
        terminated=jnp.bool_(heap == 0),
    )


def plain_move(heap: int, player: int, action: int) -> tuple[int, int, float]:
    """Returns the counters left, the next player and what the mover is paid."""
    left = heap - (action + 1)
    again = action == 0 and heap % 2 == 1
    return left, player if again else 1 - player, (action + 1) / 10 + (left == 0)


@cache
def plain_value(heap: int, gamma: float) -> float:
    """Returns what the player to move gets with best play: minimax, by the rules above."""
    return max((plain_q(heap, action, gamma) for action in (0, 1) if heap > action), default=0.0)


def plain_q(heap: int, action: int, gamma: float) -> float:
    """Returns what a move is worth to its mover with best play after it."""
    left, following, paid = plain_move(heap, 0, action)
    return paid + (gamma if following == 0 else -gamma) * plain_value(left, gamma)
