"""pgx's two-player games as `Environment`s, and their boards as text.

RNG: `init` and `step` hand their key to pgx and draw nothing else. pgx's `init` draws who moves
first (and deals, in a card game); of its two-player games only backgammon's `step` draws, the
dice. `observe` draws nothing.
"""

import dataclasses
from typing import Any

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pgx
from jax import Array

from jaxpot.errors import UserError
from jaxpot.games.history import WithHistory, with_history
from jaxpot.spec import PgxEnv
from jaxpot.spec.pgx_games import GAMES

_BY_TURNS = frozenset({"tic_tac_toe", "connect_four"})
"""Games in which X moves first and each move places one stone, so the stones tell who moves."""

_STONES = frozenset({"go_9x9", "go_19x19", "hex", "othello"})
"""Games whose first two planes are the mover's stones and the other player's."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class PgxState:
    """A pgx state without its observation, which `observe` computes when it is needed.

    The player to move is pgx's index. All actions are legal once the game is over.
    """

    inner: pgx.State

    @property
    def current_player(self) -> Array:
        return self.inner.current_player

    @property
    def legal_action_mask(self) -> Array:
        return self.inner.legal_action_mask

    @property
    def rewards(self) -> Array:
        """`[2]` float32, by pgx's player index."""
        return self.inner.rewards

    @property
    def terminated(self) -> Array:
        """bool: terminated or truncated."""
        return jnp.logical_or(self.inner.terminated, self.inner.truncated)


@attrs.frozen(kw_only=True, eq=False)
class PgxEnvironment:
    """One of pgx's two-player games."""

    game: pgx.Env = attrs.field(repr=False)
    id: str
    num_players: int
    num_actions: int
    observation_shape: tuple[int, ...]
    observation_dtype: np.dtype[Any]
    max_steps: int
    zero_sum: bool
    both_views: bool
    deterministic: bool
    perfect_information: bool
    hand_size: int

    def init(self, key: Array) -> PgxState:
        """Deal a new game."""
        inner = _without_observation(self.game.init(key))
        # The initial state of othello has a Python number among its arrays.
        return PgxState(jax.tree.map(jnp.asarray, inner))

    def step(self, state: PgxState, action: Array, key: Array) -> PgxState:
        """Play a legal action; in pgx an illegal one loses the game at once."""
        return PgxState(_without_observation(self.game.step(state.inner, action, key)))

    def observe(self, state: PgxState, player: Array) -> Array:
        """Return the observation that `player` has of the position."""
        # pgx's public `observe` warns about its player argument, and offers no other way to get the
        # view of the player who is not to move. Every game implements `_observe`.
        return self.game._observe(state.inner, player)

    def opponent_hand(self, state: PgxState, player: Array) -> Array:
        """Return the rank of the other player's card as a one-hot vector: jack, queen, king.

        Only valid if `hand_size` is not 0.
        """
        cards: Any = state.inner
        return jax.nn.one_hot(cards._cards[1 - player], self.hand_size)

    def describe(self, observation: np.ndarray) -> str | None:
        """Draw the board as the player to move sees it; None for a game without a drawing."""
        return draw(self.id, observation)


def build(config: PgxEnv) -> PgxEnvironment | WithHistory[PgxState]:
    """Build the game that a spec names, without compiling anything.

    Raises:
        UserError: jaxpot's table has no such two-player game, or the game cannot show a history.
    """
    facts = GAMES.get(config.id)
    if facts is None:
        raise UserError(f"pgx has no two-player game '{config.id}'; one of {', '.join(GAMES)}")
    game = pgx.make(config.id)  # pyright: ignore[reportArgumentType]
    # pgx's shape properties deal a game eagerly, which compiles a dozen small programs.
    state = jax.eval_shape(lambda: game.init(jax.random.key(0)))
    env = PgxEnvironment(
        game=game,
        id=config.id,
        num_players=game.num_players,
        num_actions=state.legal_action_mask.shape[0],
        observation_shape=state.observation.shape,
        observation_dtype=np.dtype(state.observation.dtype),
        max_steps=facts.max_steps,
        zero_sum=facts.zero_sum,
        # pgx stores a backgammon board in the mover's orientation and shows it to both that way.
        both_views=facts.both_views,
        deterministic=facts.deterministic,
        perfect_information=facts.perfect_information,
        hand_size=facts.hand_size or 0,
    )
    return with_history(env, positions=config.history, actions=config.action_history)


def draw(game: str, observation: np.ndarray) -> str | None:
    """Draw an observation `[H, W, C]` as H lines; None for a game without a drawing."""
    if game not in _BY_TURNS | _STONES:
        return None
    mine, theirs = observation[..., 0].astype(bool), observation[..., 1].astype(bool)
    if game in _STONES:
        return f"{_lines(mine, theirs)}\nX is to move"
    first = mine.sum() == theirs.sum()
    stones = (mine, theirs) if first else (theirs, mine)
    return f"{_lines(*stones)}\n{'X' if first else 'O'} is to move"


def _lines(crosses: np.ndarray, noughts: np.ndarray) -> str:
    cells = np.where(crosses, "X", np.where(noughts, "O", "."))
    return "\n".join(" ".join(row) for row in cells)


def _without_observation(state: pgx.State) -> pgx.State:
    """Drop the observation, which a loop would otherwise carry along unused.

    The compiler then removes pgx's computation of it as dead code; `observe` computes the only one.
    """
    return dataclasses.replace(state, observation=jnp.zeros((0,), state.observation.dtype))  # pyright: ignore
