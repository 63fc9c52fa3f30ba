"""The league's entries without their parameters: scores, and which opponents play.

An entry keeps its slot, and its parameters their place in the pool, from its freeze until it is
dropped; moving it to the archive changes only its `place`.

Axis letters: S slots, G groups of environments that play one opponent each.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

EMPTY, LEAGUE, ARCHIVE = 0, 1, 2
"""The values of `place`."""

NEW_SCORE = -0.05
"""Score of an entry that has not been played: that of an opponent slightly stronger."""


class Table(NamedTuple):
    """The entries by slot; an empty slot is zero throughout."""

    place: Array
    """`[S]` int32: EMPTY, LEAGUE or ARCHIVE."""
    active: Array
    """`[S]` bool: an archived entry that the agent plays again; false elsewhere."""
    score: Array
    """`[S]` float32: moving average of the agent's mean reward per finished game against it."""
    rollouts: Array
    """`[S]` uint32: games finished against it."""
    born: Array
    """`[S]` int32: iterations done at the freeze; names the entry, and orders entries by age.
    Functions call it `frozen_at`; digests and checkpoints hold the path `born`."""
    digest: Array
    """`[S, 2]` uint32: digest of its parameters at the freeze."""

    @property
    def in_league(self) -> Array:
        """`[S]` bool: whether the slot's entry is in the league."""
        return self.place == LEAGUE

    @property
    def recalled(self) -> Array:
        """`[S]` bool: whether the slot's entry is in the archive and active."""
        return (self.place == ARCHIVE) & self.active


def empty_table(slots: int) -> Table:
    """Return a table without entries."""
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
    """Update the scores of the entries that were played.

    `score <- (1 - alpha) * score + alpha * mean reward`; an entry against which no game finished
    keeps its score.

    Args:
        table: The entries.
        slots: `[G]` int32: the slot of each group's opponent.
        reward: `[G]` float32: the sum of the agent's rewards over the finished games.
        games: `[G]` int32: finished games.
        alpha: Weight of the new mean.
    """
    # A masked sum, since a scatter has no fixed order of additions on a GPU.
    plays = slots[:, None] == jnp.arange(table.place.size)[None, :]
    total = jnp.where(plays, reward[:, None], 0.0).sum(axis=0)
    finished = jnp.where(plays, games[:, None], 0).sum(axis=0)
    mean = total / jnp.maximum(finished, 1).astype(jnp.float32)
    moved = (1 - alpha) * table.score + alpha * mean
    return table._replace(
        score=jnp.where(finished > 0, moved, table.score),
        rollouts=table.rollouts + finished.astype(jnp.uint32),
    )


def weights(score: Array, playing: Array, *, temperature: float) -> Array:
    """Return `softmax(-score / temperature)` over the entries that play, `[S]` float32."""
    logits = jnp.where(playing, -score / temperature, -jnp.inf)
    odds = jnp.where(playing, jnp.exp(logits - logits.max()), 0.0)
    return odds / odds.sum()


def allocate(weight: Array, playing: Array, frozen_at: Array, *, groups: int) -> Array:
    """Return how many groups each entry gets, `[S]` int32; they add up to `groups`.

    Each entry gets the integer part of its share, in float32. The remaining groups go one each to
    the largest fractions, and between equal ones to the older entry.

    Args:
        weight: `[S]` float32, adding up to 1 over the entries that play.
        playing: `[S]` bool: at least one.
        frozen_at: `[S]` int32: `Table.born`.
        groups: G.
    """
    share = weight * groups
    whole = jnp.floor(share)
    fraction = jnp.where(playing, share - whole, -1.0)
    left = groups - whole.sum().astype(jnp.int32)
    best_first = jnp.lexsort((frozen_at, -fraction))
    places = jnp.arange(frozen_at.size, dtype=frozen_at.dtype)
    rank = jnp.zeros_like(frozen_at).at[best_first].set(places)
    return whole.astype(jnp.int32) + (playing & (rank < left)).astype(jnp.int32)


def group_slots(counts: Array, frozen_at: Array, *, groups: int) -> Array:
    """Return the slot of each group's opponent, `[G]` int32; the oldest entry's come first."""
    never = jnp.iinfo(frozen_at.dtype).max
    by_age = jnp.argsort(jnp.where(counts > 0, frozen_at, never), stable=True)
    ends = jnp.cumsum(counts[by_age])
    return by_age[jnp.searchsorted(ends, jnp.arange(groups), side="right")].astype(jnp.int32)
