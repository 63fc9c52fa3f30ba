"""Networks that know what a test wants them to know."""

import jax.numpy as jnp
from jax import Array

from tests.evaluators.stubs import Memoryless


class Opinion(Memoryless):
    """The same logits `params` `[A]` and value `model_state` everywhere, ends included."""

    def apply(self, variables, observation) -> tuple[Array, Array]:
        lanes = len(observation)
        return jnp.tile(variables.params[None], (lanes, 1)), jnp.full(lanes, variables.model_state)
