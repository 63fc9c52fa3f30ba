"""Board games as OpenSpiel plays them, shown as pgx shows them: the independent side of a test."""

import numpy as np

_SHAPES = {"tic_tac_toe": (3, 3), "connect_four": (6, 7)}


def observation(game_id, state):
    """Returns the view `[H, W, 2]` bool of the player to move, their own stones first."""
    board = np.array([list(row) for row in str(state).split()])
    assert board.shape == _SHAPES[game_id]
    stones = "xo" if state.current_player() == 0 else "ox"
    return np.stack([board == stone for stone in stones], axis=-1)
