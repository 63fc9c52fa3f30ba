"""How much stronger one player is than another, in Elo points, from the games between them."""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

_POINTS_PER_DECADE = 400.0


class EloDifference(NamedTuple):
    """A difference in Elo points, float32 arrays of one shape."""

    elo: Array
    """Above zero where the first player is the stronger."""
    stderr: Array
    """Standard error of `elo`."""


def elo_difference(wins: Array, draws: Array, losses: Array) -> EloDifference:
    """Estimates the difference in Elo from how `n = wins + draws + losses` games ended.

    With the mean score `s = (wins + draws / 2) / n`, the difference is that at which the logistic
    Elo model expects `s`: `400 log10(s / (1 - s))` (A. E. Elo, "The Rating of Chessplayers, Past
    and Present", 1978; https://www.chessprogramming.org/Match_Statistics, "Elo-Rating"). Its
    standard error follows from that of `s` by the delta method (G. Casella and R. L. Berger,
    "Statistical Inference", 2002, section 5.5.4):
    `400 / (ln(10) s (1 - s)) * sqrt(v / n)`, where
    `v = (wins (1 - s)^2 + draws (1/2 - s)^2 + losses s^2) / n` is the variance of a game's score.

    The games count as independent. Where the players' strength depends on who moves first, and
    each moved first in half of them, the standard error is somewhat too large, never too small.

    Args:
        wins: Games won, `[...]` of any number dtype; draws and losses likewise.
        draws: Games drawn.
        losses: Games lost.

    Returns:
        The difference and its standard error. Where all games were won the difference is infinite,
        where all were lost it is minus infinity, and the standard error is infinite: such games
        bound the difference on one side only. Where all were drawn both are 0. Without a game both
        are NaN.
    """
    wins, draws, losses = (jnp.asarray(x, jnp.float32) for x in (wins, draws, losses))
    games = wins + draws + losses
    # Of a score and its complement as two sums, neither loses digits near 0 or 1.
    won, lost = wins + draws / 2, losses + draws / 2
    mean, rest = won / games, lost / games
    variance = (wins * rest**2 + draws * ((rest - mean) / 2) ** 2 + losses * mean**2) / games
    slope = _POINTS_PER_DECADE / (math.log(10) * mean * rest)
    one_sided = (games > 0) & (won * lost == 0)
    return EloDifference(
        elo=_POINTS_PER_DECADE * jnp.log10(won / lost),
        stderr=jnp.where(one_sided, jnp.inf, slope * jnp.sqrt(variance / games)),
    )
