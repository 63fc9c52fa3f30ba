"""pgx's two-player games as `Environment`s.

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
from jaxpot.games.boards import draw
from jaxpot.games.history import WithHistory, with_history
from jaxpot.spec import PgxEnv
from jaxpot.spec.pgx_games import GAMES


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class PgxState:
    """A pgx state without its observation, which is computed only when it is looked at."""

    inner: pgx.State

    @property
    def current_player(self) -> Array:
        """int32: pgx's index of the player to move."""
        return self.inner.current_player

    @property
    def legal_action_mask(self) -> Array:
        """`[A]` bool; all true once the game is over."""
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
        """Deals a new game."""
        inner = _without_observation(self.game.init(key))
        # othello deals a Python number among its arrays.
        return PgxState(jax.tree.map(jnp.asarray, inner))

    def step(self, state: PgxState, action: Array, key: Array) -> PgxState:
        """Plays a legal action; an illegal one loses the game at once, as pgx has it."""
        return PgxState(_without_observation(self.game.step(state.inner, action, key)))

    def observe(self, state: PgxState, player: Array) -> Array:
        """Shows the position to `player`."""
        # pgx's public `observe` warns about its player argument and has no other way to ask for
        # the view of the player who is not to move; `_observe` is what every game implements.
        return self.game._observe(state.inner, player)

    def opponent_hand(self, state: PgxState, player: Array) -> Array:
        """Returns the rank of the other player's card as a one-hot vector, jack, queen, king.

        Only where `hand_size` is not 0.
        """
        cards: Any = state.inner
        return jax.nn.one_hot(cards._cards[1 - player], self.hand_size)

    def describe(self, observation: np.ndarray) -> str | None:
        """Draws what the player to move sees, where the board is one that can be drawn."""
        return draw(self.id, observation)


def build(config: PgxEnv) -> PgxEnvironment | WithHistory[PgxState]:
    """Makes the game that a spec names, without compiling anything.

    Raises:
        UserError: jaxpot's table has no such two-player game, or nobody can see its history.
    """
    facts = GAMES.get(config.id)
    if facts is None:
        raise UserError(f"pgx has no two-player game '{config.id}'; one of {', '.join(GAMES)}")
    game = pgx.make(config.id)  # pyright: ignore[reportArgumentType]
    # pgx's own shape properties deal a game eagerly, which compiles a dozen small programs.
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
        # pgx keeps a backgammon board in the mover's orientation and shows it to the other so.
        both_views=facts.both_views,
        deterministic=facts.deterministic,
        perfect_information=facts.perfect_information,
        hand_size=facts.hand_size or 0,
    )
    return with_history(env, positions=config.history, actions=config.action_history)


def _without_observation(state: pgx.State) -> pgx.State:
    """Drops the observation: a loop would carry it along, computed for nobody.

    What pgx computed for it is dead code to the compiler, so the position is looked at once, when
    a caller calls `observe`.
    """
    return dataclasses.replace(state, observation=jnp.zeros((0,), state.observation.dtype))  # pyright: ignore
