"""The frozen networks, stacked by slot, and who stays when another one is added.

Axis letters: S slots, G groups.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.league.table import ARCHIVE, EMPTY, LEAGUE, NEW_SCORE, Table


class Frozen(NamedTuple):
    """What an add did. Slot S stands for the new entry, -1 for none."""

    digest: Array
    """`[2]` uint32: the new entry's."""
    archived: Array
    """int32: the slot of the entry that went from the league to the archive."""
    dropped: Array
    """int32: the slot of the entry that the archive had no room for."""


def empty_pool(network: Any, slots: int) -> Any:
    """Returns room for `slots` copies of `network`, stacked: every leaf `[S, ...]`, zero."""
    return jax.tree.map(lambda x: jnp.zeros((slots, *x.shape), x.dtype), network)


def gather(pool: Any, slots: Array) -> Any:
    """Copies the networks of some slots out of the pool: every leaf `[G, ...]`, or one's own."""
    return jax.tree.map(lambda x: x[slots], pool)


def freeze(
    pool: Any,
    table: Table,
    network: Any,
    digest: Array,
    *,
    born: Array,
    size: int,
    archive_size: int,
) -> tuple[Any, Table, Frozen]:
    """Adds a copy of `network` to the league, and prunes.

    The `size` strongest, those of lowest score, stay in the league; who overflows goes to the
    archive, inactive. If that overflows, an inactive entry is dropped, or, if all are active,
    any: the weakest. Of equal ones the older stays.

    Args:
        pool: The networks; donated, it is changed in one slot only.
        table: The entries.
        network: What is frozen: a tree as the pool's, without its first axis.
        digest: `[2]` uint32: the network's.
        born: int32: iterations done; above every entry's.
        size: Entries that the league holds.
        archive_size: Entries that the archive holds; there are `size + archive_size` slots.
    """
    slots = size + archive_size
    new = Table(
        place=jnp.int32(LEAGUE),
        active=jnp.bool_(False),
        score=jnp.float32(NEW_SCORE),
        rollouts=jnp.uint32(0),
        born=born,
        digest=digest,
    )
    # The candidates: everyone, and behind the last slot the new one.
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
    stays = slot < slots  # else the new one was dropped at once, and nothing is written
    slot = jnp.minimum(slot, slots - 1)
    entry = new._replace(place=place[slots])

    def put(stacked: Array, x: Array) -> Array:
        return stacked.at[slot].set(jnp.where(stays, x, stacked[slot]))

    table = jax.tree.map(put, table._replace(place=place[:slots]), entry)
    return jax.tree.map(put, pool, network), table, Frozen(digest, archived, dropped)


def _weakest(table: Table, among: Array) -> Array:
    """Returns the slot of the highest score, int32, the youngest of equal ones."""
    score = jnp.where(among, table.score, -jnp.inf)
    weakest = among & (score == score.max())
    return jnp.argmax(jnp.where(weakest, table.born, -1)).astype(jnp.int32)
