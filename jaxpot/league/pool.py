"""The frozen networks, stacked by slot, and which of them stay when one is added.

Axis letters: S slots, G groups.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.league.table import ARCHIVE, EMPTY, LEAGUE, NEW_SCORE, Table


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
