"""A game of memory, which no player can play who only looks: for tests of recurrent models.

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
    """Both players' cues, the moves made, and the fields of every state."""

    cue: Array
    """`[2]` int32, by player."""
    taken: Array
    """`[2]` int32: turns that each player has had."""
    right: Array
    """`[2]` float32: whether each player has named its cue."""
    current_player: Array
    legal_action_mask: Array
    rewards: Array
    terminated: Array


@attrs.frozen(kw_only=True, eq=False)
class RecallGame:
    """Each player is shown a cue at its first turn, and has to name it `length` turns later.

    In between nothing is shown, and action 0 is the only one. Who alone was right wins 1 from the
    other; else nobody wins. A player who remembers is right always, and no other more often than
    one time in Q, since at the question everything looks the same whatever the cue was. So with
    memory on both sides the game is a draw, and against a player who guesses, memory wins
    `1 - 1 / Q` a game and is never beaten.

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
        """Q: one name a cue."""
        return self.num_cues

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """`[Q + 1]`, or `[1, Q + 1, 1]` as a board."""
        flags = self.num_cues + 1
        return (1, flags, 1) if self.board else (flags,)

    @property
    def max_steps(self) -> int:
        """Every game's length."""
        return 2 * (self.length + 1)

    def init(self, key: Array) -> RecallState:
        """Draws both cues, and who moves first."""
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
        """Takes a name at the question; before it, waits."""
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
        """Shows, as bool, the cue at the first turn, and whether it is asked for at the last."""
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
      board: whether it is shown as a board, `[1, num_cues + 1, 1]`, to models of boards.
    """

    length: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    num_cues: int = attrs.field(default=2, validator=attrs.validators.ge(2))
    board: bool = False

    def build(self) -> RecallGame:
        """Makes the game."""
        return RecallGame(length=self.length, num_cues=self.num_cues, board=self.board)
