"""How the lanes of a rollout are arranged, and the keys of its steps.

Axis letters: T steps, N lanes, G groups.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.loop.streams import IMPLEMENTATION


class Keys(NamedTuple):
    """The keys of one step, or `[G]` of them."""

    act: Array
    """The agent's decisions."""
    network: Array
    """An opponent's that is a network."""
    random: Array
    """A random opponent's."""
    env: Array
    """The games'."""


class Lanes(NamedTuple):
    """How lanes are arranged: in `groups` groups with a key each, or all under one key.

    Only keys and decisions know of groups; the games are played in one flat batch, which compiles
    in half the time that a batch of batches takes.
    """

    groups: int | None
    lanes: int

    @property
    def total(self) -> int:
        return self.lanes * (self.groups or 1)

    def split(self, key: Array, number: int) -> Array:
        """Split every group's key: `[]` gives `[number]`, `[G]` gives `[G, number]`."""
        if self.groups is None:
            return jax.random.split(key, number)
        return jax.vmap(lambda each: jax.random.split(each, number))(key)

    def each(self, key: Array) -> Array:
        """Split every group's key over its lanes: `[N]` keys."""
        return self.split(key, self.lanes).reshape(self.total)

    def step_words(self, key: Array, num_steps: int) -> Array:
        """Split every group's key over the steps: the keys' words, `[T, ...]` uint32.

        As words, since jax's checker of reused keys takes keys whose axes were moved for used ones.
        """
        words = jax.random.key_data(self.split(key, num_steps))
        return words if self.groups is None else jnp.swapaxes(words, 0, 1)

    def sums(self, x: Array) -> Array:
        """Add up over each group's lanes: `[N]` gives `[]` or `[G]`."""
        return x.sum() if self.groups is None else x.reshape(self.groups, self.lanes).sum(axis=1)


def step_keys(lanes: Lanes, words: Array, searches: Array | None) -> Keys:
    """Return a step's keys, from the words of the collector's and of the stream `search`."""
    keys = lanes.split(jax.random.wrap_key_data(words, impl=IMPLEMENTATION), 3)
    act, other, env = keys[..., 0], keys[..., 1], keys[..., 2]
    if searches is None:
        return Keys(act, other, other, env)
    pair = lanes.split(jax.random.wrap_key_data(searches, impl=IMPLEMENTATION), 2)
    return Keys(pair[..., 0], pair[..., 1], other, env)
