"""The table of games is pgx's."""

import itertools

import jax
import pgx
import pytest

from jaxpot.spec.pgx_games import GAMES, OTHER_PLAYERS
from tests.marks import slow_except


def test_every_game_of_pgx_is_in_one_of_the_tables():
    assert set(GAMES) | set(OTHER_PLAYERS) == set(pgx.available_envs())
    assert not set(GAMES) & set(OTHER_PLAYERS)
    assert list(GAMES) == sorted(GAMES)


@pytest.mark.promotes_ranks
@pytest.mark.parametrize(
    "name", slow_except(GAMES, "tic_tac_toe", "connect_four", "kuhn_poker", "othello")
)
def test_a_game_is_as_pgx_has_it(name):
    env = pgx.make(name)
    state = jax.eval_shape(env.init, jax.random.key(0))
    game = GAMES[name]
    assert env.num_players == game.num_players == 2
    assert state.observation.shape == game.observation_shape
    assert str(state.observation.dtype) == game.observation_dtype
    assert state.legal_action_mask.shape == (game.num_actions,)


@pytest.mark.parametrize("name", OTHER_PLAYERS)
def test_the_others_are_not_for_two(name):
    assert pgx.make(name).num_players == OTHER_PLAYERS[name] != 2


@pytest.mark.slow
def test_longest_games_are_pgxs_own_limits():
    from pgx import animal_shogi, gardner_chess
    from pgx._src.games import chess, shogi

    assert GAMES["animal_shogi"].max_steps == animal_shogi.MAX_TERMINATION_STEPS
    assert GAMES["gardner_chess"].max_steps == gardner_chess.MAX_TERMINATION_STEPS
    assert GAMES["chess"].max_steps == chess.MAX_TERMINATION_STEPS
    assert GAMES["shogi"].max_steps == shogi.MAX_TERMINATION_STEPS
    for name in ("go_9x9", "go_19x19"):
        assert GAMES[name].max_steps == pgx.make(name)._game.max_termination_steps


def test_tic_tac_toe_has_that_many_positions():
    lines = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]
    seen = {"." * 9}
    edge = seen
    for mark in itertools.islice(itertools.cycle("XO"), 9):
        edge = {
            board[:cell] + mark + board[cell + 1 :]
            for board in edge
            if not any(board[a] == board[b] == board[c] != "." for a, b, c in lines)
            for cell in range(9)
            if board[cell] == "."
        }
        seen = seen | edge
    assert GAMES["tic_tac_toe"].tree_positions == len(seen)


def test_only_games_with_a_tree_have_a_size():
    for game in GAMES.values():
        has_tree = game.perfect_information and game.deterministic
        assert has_tree == (game.tree_positions is not None)
