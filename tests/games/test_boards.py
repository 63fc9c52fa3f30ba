"""Boards as text: whose stones are whose, and who is to move."""

import numpy as np

from jaxpot.games.base import Describing
from jaxpot.games.pgx_env import build, draw
from jaxpot.spec import PgxEnv


def planes(*rows):
    """`m` are the mover's stones, `t` the other player's."""
    cells = np.array([list(row) for row in rows])
    return np.stack([cells == "m", cells == "t"], axis=-1)


def test_the_first_player_has_the_crosses():
    assert draw("tic_tac_toe", planes("m..", ".t.", "...")) == ("X . .\n. O .\n. . .\nX is to move")
    assert draw("tic_tac_toe", planes("m..", ".t.", "..t")) == ("O . .\n. X .\n. . X\nO is to move")


def test_elsewhere_the_mover_has_them():
    assert draw("hex", planes("mt", ".m")) == "X O\n. X\nX is to move"


def test_other_games_are_not_drawn():
    assert draw("chess", np.zeros((8, 8, 119))) is None


def test_pgxs_games_describe():
    env = build(PgxEnv(id="tic_tac_toe"))
    assert isinstance(env, Describing)
    assert env.describe(np.zeros((3, 3, 2), bool)) == ". . .\n. . .\n. . .\nX is to move"
