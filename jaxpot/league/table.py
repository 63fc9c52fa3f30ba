"""What is known of each entry beside its parameters.

Axis letters: S slots, G groups of environments that play one opponent each.

An entry keeps its slot, and its parameters in the pool stay where they are, from the day it is
frozen until it is dropped: to move it to the archive changes its `place` alone.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

EMPTY, LEAGUE, ARCHIVE = 0, 1, 2
"""Where a slot's entry is."""

NEW_SCORE = -0.05
"""Score of an entry that nobody has played: that of a slightly stronger opponent."""


class Table(NamedTuple):
    """The entries by slot; an empty slot is zero throughout."""

    place: Array
    """`[S]` int32: EMPTY, LEAGUE or ARCHIVE."""
    active: Array
    """`[S]` bool: an archived entry that is played again; false elsewhere."""
    score: Array
    """`[S]` float32: moving average of the agent's mean reward per finished game against it."""
    rollouts: Array
    """`[S]` uint32: games finished against it."""
    born: Array
    """`[S]` int32: iterations done when it was frozen; names it, and orders entries by age."""
    digest: Array
    """`[S, 2]` uint32: digest of its parameters, taken when it was frozen."""

    @property
    def in_league(self) -> Array:
        """`[S]` bool: whether the slot's entry is in the league."""
        return self.place == LEAGUE

    @property
    def recalled(self) -> Array:
        """`[S]` bool: whether the slot's entry is in the archive and active."""
        return (self.place == ARCHIVE) & self.active


def empty_table(slots: int) -> Table:
    """Returns a table without entries."""
    return Table(
        place=jnp.zeros(slots, jnp.int32),
        active=jnp.zeros(slots, jnp.bool_),
        score=jnp.zeros(slots, jnp.float32),
        rollouts=jnp.zeros(slots, jnp.uint32),
        born=jnp.zeros(slots, jnp.int32),
        digest=jnp.zeros((slots, 2), jnp.uint32),
    )


def update_scores(
    table: Table, slots: Array, reward: Array, games: Array, *, alpha: float
) -> Table:
    """Moves the scores of the entries that were played.

    `score <- (1 - alpha) * score + alpha * mean reward`; an entry against which no game finished
    keeps its score.

    Args:
        table: The entries.
        slots: `[G]` int32: the slot of each group's opponent.
        reward: `[G]` float32: the agent's rewards, added up over the finished games.
        games: `[G]` int32: finished games.
        alpha: Weight of the new mean.
    """
    # A sum over a mask and not a scatter: its order is fixed, on a GPU too.
    plays = slots[:, None] == jnp.arange(table.place.size)[None, :]
    total = jnp.where(plays, reward[:, None], 0.0).sum(axis=0)
    finished = jnp.where(plays, games[:, None], 0).sum(axis=0)
    mean = total / jnp.maximum(finished, 1).astype(jnp.float32)
    moved = (1 - alpha) * table.score + alpha * mean
    return table._replace(
        score=jnp.where(finished > 0, moved, table.score),
        rollouts=table.rollouts + finished.astype(jnp.uint32),
    )
