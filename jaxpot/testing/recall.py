"""A memory game for tests of recurrent models: it cannot be won without memory.

Axis letters: Q cues.
"""

import dataclasses
from typing import Any, ClassVar

import attrs
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class RecallState:
    """Both players' cues and progress, and the fields that every state has."""

    cue: Array
    """`[2]` int32, by player."""
    taken: Array
    """`[2]` int32: turns taken by each player."""
    right: Array
    """`[2]` float32: whether each player has named its cue."""
    current_player: Array
    legal_action_mask: Array
    rewards: Array
    terminated: Array


@attrs.frozen(kw_only=True, eq=False)
class RecallGame:
    """Each player sees a cue at its first turn, and has to name it `length` turns later.

    In between a player sees nothing and its only action is 0. If only one player names its cue, it
    wins 1 from the other; otherwise the game is a draw. A player who remembers is always right. One
    who does not is right one time in Q, because at the question all observations are the same. So
    the game is a draw if both remember, and against a player who guesses, memory wins `1 - 1 / Q` a
    game on average and never loses.

    An observation has a flag for each cue, set at a player's first turn, and one for the question;
    as a board they are the squares of its one row.
    """

    length: int
    num_cues: int = 2
    board: bool = False
    num_players: ClassVar[int] = 2
    observation_dtype: ClassVar[np.dtype[Any]] = np.dtype("bool")
    zero_sum: ClassVar[bool] = True
    both_views: ClassVar[bool] = True
    deterministic: ClassVar[bool] = True
    perfect_information: ClassVar[bool] = False

    @property
    def num_actions(self) -> int:
        """Q: one action per cue."""
        return self.num_cues

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """`[Q + 1]`, or `[1, Q + 1, 1]` as a board."""
        flags = self.num_cues + 1
        return (1, flags, 1) if self.board else (flags,)

    @property
    def max_steps(self) -> int:
        """The length of every game."""
        return 2 * (self.length + 1)

    def init(self, key: Array) -> RecallState:
        """Draw both cues, and who moves first."""
        cue_key, mover_key = jax.random.split(key)
        taken = jnp.zeros(2, jnp.int32)
        mover = jax.random.bernoulli(mover_key).astype(jnp.int32)
        return RecallState(
            cue=jax.random.randint(cue_key, (2,), 0, self.num_cues, jnp.int32),
            taken=taken,
            right=jnp.zeros(2),
            current_player=mover,
            legal_action_mask=self._legal(taken[mover]),
            rewards=jnp.zeros(2),
            terminated=jnp.bool_(False),
        )

    def step(self, state: RecallState, action: Array, key: Array) -> RecallState:
        """Compare the action with the cue at the question; before it, only count the turn."""
        del key
        acts = jnp.arange(2) == state.current_player
        asked = state.taken == self.length
        right = jnp.where(acts & asked & (state.cue == action), 1.0, state.right)
        taken = state.taken + acts
        over = (taken > self.length).all()
        return RecallState(
            cue=state.cue,
            taken=taken,
            right=right,
            current_player=1 - state.current_player,
            legal_action_mask=self._legal(taken[1 - state.current_player]),
            rewards=jnp.where(over, right - right[::-1], 0.0),
            terminated=over,
        )

    def observe(self, state: RecallState, player: Array) -> Array:
        """Return the flags of the cue, at the first turn, and of the question, at the last."""
        turn = state.taken[player]
        cue = jax.nn.one_hot(state.cue[player], self.num_cues, dtype=jnp.bool_) & (turn == 0)
        return jnp.append(cue, turn == self.length).reshape(self.observation_shape)

    def _legal(self, turn: Array) -> Array:
        return (jnp.arange(self.num_cues) == 0) | (turn == self.length)


@attrs.frozen(kw_only=True)
class Recall:
    """The game of a spec's `kind = "jaxpot.testing.recall:Recall"`.

    Attributes:
      length: turns from a player's cue to the question.
      num_cues: how many cues there are.
      board: whether observations are boards, `[1, num_cues + 1, 1]`, for models of boards.
    """

    length: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    num_cues: int = attrs.field(default=2, validator=attrs.validators.ge(2))
    board: bool = False

    def build(self) -> RecallGame:
        """Build the game."""
        return RecallGame(length=self.length, num_cues=self.num_cues, board=self.board)
