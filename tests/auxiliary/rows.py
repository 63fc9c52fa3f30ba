"""A rollout of which only the ends of games are told."""

import jax.numpy as jnp

from jaxpot.algorithms.base import Rollout


def rows(*, done):
    fields = dict.fromkeys(Rollout._fields, jnp.zeros(()))
    return Rollout(**(fields | {"done": jnp.asarray(done)}))
