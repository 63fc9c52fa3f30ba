"""Boards of pgx's games as text, from what the player to move is shown."""

import numpy as np

_BY_TURNS = frozenset({"tic_tac_toe", "connect_four"})
"""Games in which X moves first and every move places one stone: so the stones say who moves."""

_STONES = frozenset({"go_9x9", "go_19x19", "hex", "othello"})
"""Games whose first two planes are the mover's stones and the other player's."""


def draw(game: str, observation: np.ndarray) -> str | None:
    """Draws `[H, W, C]` as H lines; None for a game that has no such drawing."""
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
