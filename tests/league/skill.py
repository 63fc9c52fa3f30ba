"""A game that the higher level wins, and a network that is a level: who beats whom is arithmetic.

Both players name a level, one after the other; the difference, in quarters, is what each is paid.
So the agent's mean reward against an entry is `(its level - the entry's) / 4`, exactly, whoever
moves first and whatever is drawn.
"""

import dataclasses
from typing import Any

import attrs
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.models.base import Variables
from tests.evaluators.stubs import Memoryless

LEVELS = 9


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SkillState:
    """The level that was named first, or -1, and the fields of every state."""

    named: Array
    current_player: Array
    rewards: Array
    terminated: Array

    @property
    def legal_action_mask(self) -> Array:
        return jnp.ones((*jnp.shape(self.named), LEVELS), jnp.bool_)


@attrs.frozen(kw_only=True, eq=False)
class SkillGame:
    """Two plies; who moves first is drawn, as in pgx."""

    max_steps: int = 2
    num_players: int = 2
    num_actions: int = LEVELS
    observation_shape: tuple[int, ...] = (1,)
    observation_dtype: np.dtype[Any] = attrs.field(factory=lambda: np.dtype("int32"))
    zero_sum: bool = True
    both_views: bool = True
    deterministic: bool = True
    perfect_information: bool = True

    def init(self, key: Array) -> SkillState:
        return SkillState(
            named=jnp.int32(-1),
            current_player=jax.random.bernoulli(key).astype(jnp.int32),
            rewards=jnp.zeros(2),
            terminated=jnp.bool_(False),
        )

    def step(self, state: SkillState, action: Array, key: Array) -> SkillState:
        del key
        second = state.named >= 0
        ahead = (action - state.named).astype(jnp.float32) / 4
        paid = jnp.where(jnp.arange(2) == state.current_player, ahead, -ahead)
        return SkillState(
            named=action,
            current_player=1 - state.current_player,
            rewards=jnp.where(second, paid, 0.0),
            terminated=second,
        )

    def observe(self, state: SkillState, player: Array) -> Array:
        del player
        return state.named[None]


class LevelNetwork(Memoryless):
    """Stands in for `jaxpot.models.base.Network`: it names its level, and knows nothing else."""

    @property
    def abstract_state(self) -> Any:
        return {"seen": jax.ShapeDtypeStruct((), jnp.int32)}

    def init(self, key: Array) -> Variables:
        del key
        return network(0)

    def apply(self, variables: Variables, observation: Array) -> tuple[Array, Array]:
        named = jnp.where(jnp.arange(LEVELS) == variables.params["level"], 0.0, -1e9)
        return jnp.tile(named, (len(observation), 1)), jnp.zeros(len(observation))


def network(level: int, salt: int = 0) -> Variables:
    """Returns a network of some level; `salt` makes it a different one."""
    rng = np.random.default_rng((level, salt))
    return Variables(
        {"level": np.int32(level), "rest": rng.standard_normal(3).astype(np.float32)},
        {"seen": np.int32(salt)},
    )
