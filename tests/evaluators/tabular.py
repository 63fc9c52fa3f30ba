"""A network that is a table by hashing: a different policy for every draw of its parameters.

Its logits are small integers, computed alike by JAX and by `greedy_action` in NumPy, so that a
search in plain Python can play the very same policy without either knowing the other's code.
"""

import attrs
import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.models.base import Variables
from tests.evaluators.stubs import Memoryless


@attrs.frozen(kw_only=True, eq=False)
class TabularNetwork(Memoryless):
    """Stands in for `jaxpot.models.base.Network`."""

    num_actions: int
    observation_size: int

    def init(self, key):
        size = (self.observation_size,)
        return Variables({"weights": jax.random.bits(key, size, jnp.uint32)})

    def apply(self, variables, observation):
        rows = observation.reshape(len(observation), -1).astype(jnp.uint32)
        mixed = rows @ variables.params["weights"]
        scores = _scores(jnp, mixed[:, None], jnp.arange(self.num_actions, dtype=jnp.uint32)[None])
        return scores.astype(jnp.float32), jnp.zeros(len(rows), jnp.float32)


def greedy_action(params, observation, legal_actions):
    """Returns the legal action with the highest score, the lowest such where several have it."""
    weights = np.asarray(params["weights"])
    flat = np.asarray(observation).reshape(-1).astype(np.uint32)
    mixed = (flat * weights).sum(dtype=np.uint32)
    return max(legal_actions, key=lambda a: (_scores(np, mixed, np.uint32(a)), -a))


def _scores(xp, mixed, action):
    with np.errstate(over="ignore"):
        bits = (mixed ^ (action * xp.uint32(2654435761))) * xp.uint32(2246822519)
        return (bits ^ (bits >> 15)) % 65_521
