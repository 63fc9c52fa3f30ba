"""The contract of a two-player game, and the steps that all games share.

Axis letters: A actions, N lanes. Shapes are those of one lane unless they have N; callers `vmap`.
"""

from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array

Observation: TypeAlias = Any
"""An array, or nested dicts of arrays if a game shows several."""


class EnvState(Protocol):
    """A frozen pytree with the player to move and the result of the last step.

    The loop reads the properties of batched states too, so a computed property must keep leading
    axes. Once `terminated`, the legal action mask and the player to move mean nothing.
    """

    @property
    def current_player(self) -> Array:
        """int32: the player to move, 0 or 1; the game's index of it, not the order of moving."""
        ...

    @property
    def legal_action_mask(self) -> Array:
        """`[A]` bool: the legal moves of `current_player`; at least one until the game ends."""
        ...

    @property
    def rewards(self) -> Array:
        """`[2]` float32: each player's reward of the last step."""
        ...

    @property
    def terminated(self) -> Array:
        """bool: the game is over, by its rules or by a cap on its length."""
        ...


StateT = TypeVar("StateT", bound=EnvState)


@runtime_checkable
class Describing(Protocol):
    """A game that can describe an observation in text, for people who look at samples."""

    def describe(self, observation: Observation) -> str | None:
        """Return text, lines joined by newlines, for an observation of the player to move.

        Called on the host with one NumPy observation; None if there is no description.
        """
        ...


@runtime_checkable
class TellsHands(Protocol):
    """A card game that can tell hidden hands, for a network that learns to predict them.

    A hand is described by K numbers.
    """

    @property
    def hand_size(self) -> int:
        """K; 0 if this game has no hands."""
        ...

    def opponent_hand(self, state: Any, player: Array) -> Array:
        """Return the other player's hand, `[K]` float32 with sum 1; draws nothing."""
        ...


class Environment(Protocol[StateT]):
    """A two-player game as pure functions of one lane.

    `jaxpot.testing.check_environment` tests an implementation against this contract.
    """

    @property
    def num_players(self) -> int:
        """2."""
        ...

    @property
    def num_actions(self) -> int:
        """A."""
        ...

    @property
    def observation_shape(self) -> Any:
        """The shape of one observation, a tuple; nested dicts of shapes for several arrays."""
        ...

    @property
    def observation_dtype(self) -> Any:
        """Its NumPy dtype, in the same nested dicts; networks cast it to float32."""
        ...

    @property
    def max_steps(self) -> int:
        """The length of the longest game, in steps; an evaluator stops a lane there."""
        ...

    @property
    def zero_sum(self) -> bool:
        """Whether the two players' rewards add up to zero at every step."""
        ...

    @property
    def both_views(self) -> bool:
        """Whether `observe` can show the position to the player who is not to move."""
        ...

    @property
    def deterministic(self) -> bool:
        """Whether `step` ignores its key: no chance once the game has begun."""
        ...

    @property
    def perfect_information(self) -> bool:
        """Whether both players know the whole state at every step."""
        ...

    def init(self, key: Array) -> StateT:
        """Deal a new game; `key` is consumed."""
        ...

    def step(self, state: StateT, action: Array, key: Array) -> StateT:
        """Play a legal action of `state.current_player`; never reset; `key` is consumed.

        Lanes whose game has ended are stepped with the rest; the result is not used.
        """
        ...

    def observe(self, state: StateT, player: Array) -> Observation:
        """Return the observation that `player` has of `state`; draws nothing."""
        ...


class AutoReset(NamedTuple, Generic[StateT]):
    """The result of one step of a lane, and the state that the lane continues from."""

    state: StateT
    """The state after the step, or a new game's first state if the step ended the game."""
    rewards: Array
    """`[2]` float32: the rewards of the step, the end of the game included."""
    terminated: Array
    """bool: the step ended the game."""


def auto_reset_step(
    env: Environment[StateT], state: StateT, action: Array, key: Array
) -> AutoReset[StateT]:
    """Step one lane, and deal a new game if the old one ended.

    RNG contract v1: `k_step, k_reset = split(key)`, both drawn at every step, so that a lane's
    randomness does not depend on where its earlier games ended.
    """
    step_key, reset_key = jax.random.split(key)
    stepped = env.step(state, action, step_key)
    following = where_lane(stepped.terminated, env.init(reset_key), stepped)
    return AutoReset(state=following, rewards=stepped.rewards, terminated=stepped.terminated)


def where_lane(condition: Array, on_true: StateT, on_false: StateT) -> StateT:
    """Choose one of two states by a scalar condition; under `vmap`, lane by lane."""
    return jax.tree.map(lambda a, b: jax.lax.select(condition, a, b), on_true, on_false)


def uniform_legal_action(legal_action_mask: Array, key: Array) -> Array:
    """Draw one legal action per lane, each equally likely.

    It draws the rank of the action among the legal ones, one number per lane. On games with many
    actions this is several times cheaper than a categorical sample, which draws one per action.

    Args:
        legal_action_mask: `[N, A]` bool; a lane without a legal action gets action 0.
        key: A typed key, consumed.

    Returns:
        `[N]` int32.
    """
    num_legal = jnp.sum(legal_action_mask, axis=-1, dtype=jnp.int32)
    rank = jax.random.randint(key, num_legal.shape, 0, num_legal)
    legal_so_far = jnp.cumsum(legal_action_mask, axis=-1, dtype=jnp.int32)
    return jnp.argmax(legal_so_far > rank[..., None], axis=-1).astype(jnp.int32)
