"""A race to a line: add one, two or three in turn; the player who reaches the line wins."""

import dataclasses

import attrs
import jax
import jax.numpy as jnp
import numpy as np


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    position: jax.Array
    current_player: jax.Array
    rewards: jax.Array
    terminated: jax.Array
    legal_action_mask: jax.Array


@attrs.frozen(eq=False)
class Track:
    line: int
    num_players: int = 2
    num_actions: int = 3
    observation_shape: tuple[int, ...] = (1,)
    observation_dtype: type = np.float32
    zero_sum: bool = True
    both_views: bool = True
    deterministic: bool = True
    perfect_information: bool = True

    @property
    def max_steps(self) -> int:
        return self.line

    def init(self, key):
        first = jax.random.bernoulli(key).astype(jnp.int32)
        return self._at(jnp.int32(0), player=first, rewards=jnp.zeros(2))

    def step(self, state, action, key):
        del key
        position = state.position + action + 1
        mover = jnp.arange(2) == state.current_player
        won = jnp.where(mover, 1.0, -1.0) * (position >= self.line)
        return self._at(position, player=1 - state.current_player, rewards=won)

    def observe(self, state, player):
        del player
        return (state.position / self.line).astype(jnp.float32)[None]

    def _at(self, position, *, player, rewards):
        return State(
            position=position,
            current_player=player,
            rewards=rewards,
            terminated=position >= self.line,
            legal_action_mask=jnp.ones(3, bool),
        )


@attrs.frozen(kw_only=True)
class Race:
    line: int = attrs.field(default=9, validator=attrs.validators.ge(1))

    def build(self) -> Track:
        return Track(self.line)
