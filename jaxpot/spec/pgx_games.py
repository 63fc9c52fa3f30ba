"""pgx's games as a table, so that a spec is checked without importing jax."""

from collections.abc import Mapping
from types import MappingProxyType

import attrs


@attrs.frozen(kw_only=True)
class Game:
    """What a spec needs to know about a game; the tests hold the table to pgx.

    Attributes:
      num_players: seats of the game.
      observation_shape: of one player's view.
      observation_dtype: NumPy's name of its type.
      num_actions: size of the action space.
      max_steps: moves of the longest game; backgammon, which has no end to it, is cut there.
      zero_sum: whether one player's reward is the other's loss.
      perfect_information: whether both players see everything.
      deterministic: whether nothing is drawn after the start.
      both_views: whether a position can be shown to the player who is not to move.
      hand_size: how many entries describe a player's hidden hand; None where there is no hand.
      tree_positions: estimate of the positions that play can reach (exact for tic-tac-toe); None
        for a game of chance or of hidden information.
    """

    num_players: int = 2
    observation_shape: tuple[int, ...]
    observation_dtype: str = "bool"
    num_actions: int
    max_steps: int
    zero_sum: bool = True
    perfect_information: bool = True
    deterministic: bool = True
    both_views: bool = True
    hand_size: int | None = None
    tree_positions: int | None = None


GAMES: Mapping[str, Game] = MappingProxyType(
    {
        "animal_shogi": Game(
            observation_shape=(4, 3, 194),
            observation_dtype="float32",
            num_actions=132,
            max_steps=256,
            tree_positions=1_567_925_964,
        ),
        "backgammon": Game(
            observation_shape=(34,),
            observation_dtype="int32",
            num_actions=156,
            max_steps=10_000,
            deterministic=False,
            both_views=False,
        ),
        "chess": Game(
            observation_shape=(8, 8, 119),
            observation_dtype="float32",
            num_actions=4672,
            max_steps=512,
            tree_positions=4 * 10**44,
        ),
        "connect_four": Game(
            observation_shape=(6, 7, 2),
            num_actions=7,
            max_steps=42,
            tree_positions=4_531_985_219_092,
        ),
        "gardner_chess": Game(
            observation_shape=(5, 5, 115),
            observation_dtype="float32",
            num_actions=1225,
            max_steps=256,
            tree_positions=9 * 10**18,
        ),
        "go_19x19": Game(
            observation_shape=(19, 19, 17),
            num_actions=362,
            max_steps=722,
            tree_positions=2 * 10**170,
        ),
        "go_9x9": Game(
            observation_shape=(9, 9, 17),
            num_actions=82,
            max_steps=162,
            tree_positions=10**38,
        ),
        "hex": Game(
            observation_shape=(11, 11, 4),
            num_actions=122,
            max_steps=122,
            tree_positions=2 * 10**56,
        ),
        "kuhn_poker": Game(
            observation_shape=(7,),
            num_actions=2,
            max_steps=3,
            perfect_information=False,
            hand_size=3,
        ),
        "leduc_holdem": Game(
            observation_shape=(34,),
            num_actions=3,
            max_steps=8,
            perfect_information=False,
            hand_size=3,
        ),
        "othello": Game(
            observation_shape=(8, 8, 2),
            num_actions=65,
            max_steps=119,
            tree_positions=10**28,
        ),
        "shogi": Game(
            observation_shape=(9, 9, 119),
            num_actions=2187,
            max_steps=512,
            tree_positions=10**68,
        ),
        "tic_tac_toe": Game(
            observation_shape=(3, 3, 2),
            num_actions=9,
            max_steps=9,
            tree_positions=5_478,
        ),
    }
)

OTHER_PLAYERS: Mapping[str, int] = MappingProxyType(
    {
        "2048": 1,
        "minatar-asterix": 1,
        "minatar-breakout": 1,
        "minatar-freeway": 1,
        "minatar-seaquest": 1,
        "minatar-space_invaders": 1,
        "sparrow_mahjong": 3,
    }
)
"""pgx's games that are not for two players, with their numbers of players."""
