"""The one place where a finished game gives way to a new one."""

from typing import Generic, NamedTuple

import jax
from jax import Array

from jaxpot.games.base import Environment, StateT


class AutoReset(NamedTuple, Generic[StateT]):
    """What one step did, and where the lane goes on."""

    state: StateT
    """The state after the step, or a new game's first state where the step ended the game."""
    rewards: Array
    """`[2]` float32: what the step paid, the end of the game included."""
    terminated: Array
    """bool: the step ended the game."""


def auto_reset_step(
    env: Environment[StateT], state: StateT, action: Array, key: Array
) -> AutoReset[StateT]:
    """Steps one lane and deals a new game if the old one ended.

    RNG contract v1: `k_step, k_reset = split(key)`, both drawn at every step, so that a lane's
    randomness does not depend on where its earlier games ended.
    """
    step_key, reset_key = jax.random.split(key)
    stepped = env.step(state, action, step_key)
    following = where_lane(stepped.terminated, env.init(reset_key), stepped)
    return AutoReset(state=following, rewards=stepped.rewards, terminated=stepped.terminated)


def where_lane(condition: Array, on_true: StateT, on_false: StateT) -> StateT:
    """Chooses one of two whole states by a scalar condition; under `vmap`, lane by lane."""
    return jax.tree.map(lambda a, b: jax.lax.select(condition, a, b), on_true, on_false)
