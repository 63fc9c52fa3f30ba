"""A user's own game, as small as a game can be: Nim with one heap.

Two players take one, two or three counters in turn; taking the last one wins. Its states
keep no count of the moves, so different lines of play meet again, at different depths.
"""

import dataclasses
from typing import Any

import attrs
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class NimState:
    """Counters left, and the fields of every state."""

    heap: Array
    current_player: Array
    rewards: Array
    terminated: Array

    @property
    def legal_action_mask(self) -> Array:
        return jnp.stack([self.heap >= taken for taken in (1, 2, 3)], axis=-1)


@attrs.frozen(kw_only=True, eq=False)
class Nim:
    """Actions 0, 1, 2 take 1, 2, 3 counters; who moves first is drawn, as in pgx."""

    heap: int = 7
    num_players: int = 2
    num_actions: int = 3
    observation_shape: tuple[int, ...] = (1,)
    observation_dtype: np.dtype[Any] = attrs.field(default="int32", converter=np.dtype)
    zero_sum: bool = True
    both_views: bool = True
    deterministic: bool = True
    perfect_information: bool = True

    @property
    def max_steps(self) -> int:
        return self.heap

    def init(self, key: Array) -> NimState:
        return NimState(
            heap=jnp.int32(self.heap),
            current_player=jax.random.bernoulli(key).astype(jnp.int32),
            rewards=jnp.zeros(2),
            terminated=jnp.bool_(False),
        )

    def step(self, state: NimState, action: Array, key: Array) -> NimState:
        del key
        heap = state.heap - (action + 1)
        over = heap <= 0
        win = jnp.where(jnp.arange(2) == state.current_player, 1.0, -1.0)
        return NimState(
            heap=heap,
            current_player=1 - state.current_player,
            rewards=jnp.where(over, win, 0.0),
            terminated=over,
        )

    def observe(self, state: NimState, player: Array) -> Array:
        del player
        return state.heap[None]
