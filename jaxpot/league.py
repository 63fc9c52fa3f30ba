"""The league: frozen copies of the agent, which it plays, and which of them stay.

The pool holds the entries' networks, stacked by slot; the table holds everything else about them.
An entry keeps its slot in both from its freeze until it is dropped; moving it to the archive
changes only its `place`.

Axis letters: S slots, G groups of environments that play one opponent each.
"""

from typing import Any, NamedTuple

import jax
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


class Frozen(NamedTuple):
    """The result of adding an entry. Slot S stands for the new entry, -1 for none."""

    digest: Array
    """`[2]` uint32: digest of the new entry."""
    archived: Array
    """int32: the slot of the entry that moved from the league to the archive."""
    dropped: Array
    """int32: the slot of the entry that was dropped from the full archive."""


def empty_pool(network: Any, slots: int) -> Any:
    """Return a pool for `slots` copies of `network`: every leaf `[S, ...]`, zero."""
    return jax.tree.map(lambda x: jnp.zeros((slots, *x.shape), x.dtype), network)


def gather(pool: Any, slots: Array) -> Any:
    """Copy networks out of the pool: every leaf `[G, ...]`, or without that axis for one slot."""
    return jax.tree.map(lambda x: x[slots], pool)


def freeze(
    pool: Any,
    table: Table,
    network: Any,
    digest: Array,
    *,
    frozen_at: Array,
    size: int,
    archive_size: int,
) -> tuple[Any, Table, Frozen]:
    """Add a copy of `network` to the league, and prune.

    The `size` strongest entries, those of lowest score, stay in the league; the weakest beyond that
    goes to the archive, inactive. If the archive overflows, its weakest inactive entry is dropped,
    or the weakest of all if all are active. Of equal entries the older stays.

    Args:
        pool: The networks; only one slot changes, so that a donated pool is not copied.
        table: The entries.
        network: The network to freeze: a tree like the pool's, without its first axis.
        digest: `[2]` uint32: digest of the network.
        frozen_at: int32: iterations done; above that of every entry.
        size: Entries that the league holds.
        archive_size: Entries that the archive holds; there are `size + archive_size` slots.
    """
    slots = size + archive_size
    new = Table(
        place=jnp.int32(LEAGUE),
        active=jnp.bool_(False),
        score=jnp.float32(NEW_SCORE),
        rollouts=jnp.uint32(0),
        born=frozen_at,
        digest=digest,
    )
    # The candidates: all entries and, after the last slot, the new one.
    all_ = Table(*(jnp.concatenate([old, x[None]]) for old, x in zip(table, new, strict=True)))
    overflows = all_.in_league.sum() > size
    archived = jnp.where(overflows, _weakest(all_, all_.in_league), -1)
    place = jnp.where(jnp.arange(slots + 1) == archived, ARCHIVE, all_.place)
    in_archive = place == ARCHIVE
    inactive = in_archive & ~all_.active
    leaves = _weakest(all_, jnp.where(inactive.any(), inactive, in_archive))
    dropped = jnp.where(in_archive.sum() > archive_size, leaves, -1)

    free = jnp.argmax(table.place == EMPTY).astype(jnp.int32)
    slot = jnp.where(dropped >= 0, dropped, free)
    stays = slot < slots  # otherwise the new entry was dropped at once, and nothing is written
    slot = jnp.minimum(slot, slots - 1)
    entry = new._replace(place=place[slots])

    def put(stacked: Array, x: Array) -> Array:
        return stacked.at[slot].set(jnp.where(stays, x, stacked[slot]))

    table = jax.tree.map(put, table._replace(place=place[:slots]), entry)
    return jax.tree.map(put, pool, network), table, Frozen(digest, archived, dropped)


def _weakest(table: Table, among: Array) -> Array:
    """Return the slot of the highest score, int32, the youngest of equal ones."""
    score = jnp.where(among, table.score, -jnp.inf)
    weakest = among & (score == score.max())
    return jnp.argmax(jnp.where(weakest, table.born, -1)).astype(jnp.int32)
