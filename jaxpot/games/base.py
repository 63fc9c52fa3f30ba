"""What the loop and the evaluators need from a two-player game.

Axis letters: A actions. Shapes are those of one lane; callers `vmap`.
"""

from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from jax import Array

Observation: TypeAlias = Any
"""An array, or nested dicts of arrays where a game shows several."""


class EnvState(Protocol):
    """A frozen pytree that says whose turn it is and how the last step ended.

    Batched states are read as well: a property computed from others keeps their leading axes.
    Once `terminated`, the legal action mask and the player to move mean nothing.
    """

    @property
    def current_player(self) -> Array:
        """int32: the player to move, 0 or 1; an index of the game's, not the order of moving."""
        ...

    @property
    def legal_action_mask(self) -> Array:
        """`[A]` bool: the moves that `current_player` has; at least one until the game ends."""
        ...

    @property
    def rewards(self) -> Array:
        """`[2]` float32: what the last step paid to each player."""
        ...

    @property
    def terminated(self) -> Array:
        """bool: the game is over, by its rules or by a cap on its length."""
        ...


StateT = TypeVar("StateT", bound=EnvState)


@runtime_checkable
class Describing(Protocol):
    """A game that can tell in text what an observation shows, for people who look at samples."""

    def describe(self, observation: Observation) -> str | None:
        """Returns text, lines joined by newlines, for an observation of the player to move.

        Called on the host with one observation of NumPy; None where there is nothing to say.
        """
        ...


@runtime_checkable
class TellsHands(Protocol):
    """A game of hidden cards that can tell them, for a network that learns to guess them.

    K is the number of entries that describe a hand.
    """

    @property
    def hand_size(self) -> int:
        """K; 0 where this game has no hands after all."""
        ...

    def opponent_hand(self, state: Any, player: Array) -> Array:
        """Returns what the other player holds, `[K]` float32 with sum 1; draws nothing."""
        ...


class Environment(Protocol[StateT]):
    """A two-player game as pure functions of one lane.

    `jaxpot.testing.check_environment` holds an implementation to this contract.
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
        """The shape of one observation, a tuple; nested dicts of shapes where it shows several."""
        ...

    @property
    def observation_dtype(self) -> Any:
        """NumPy's dtype of it, in the same nested dicts; networks cast it to float32."""
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
        """Deals a new game; `key` is consumed."""
        ...

    def step(self, state: StateT, action: Array, key: Array) -> StateT:
        """Plays a legal action of `state.current_player`; never resets; `key` is consumed.

        Lanes that have ended are stepped along with the rest; what comes of it is not used.
        """
        ...

    def observe(self, state: StateT, player: Array) -> Observation:
        """Shows `state` to `player`; draws nothing."""
        ...
