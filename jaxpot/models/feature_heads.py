"""A policy head and a value head on a row of features.

Axis letters: B batch, F features, A actions.
"""

from typing import Protocol

import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.base import Outputs, Training
from jaxpot.models.dense import dense
from jaxpot.models.dropout import drop


class Options(Protocol):
    """What the config of every built-in model says of it."""

    @property
    def value_head(self) -> str:
        """`plain`, or `tanh`."""
        ...

    @property
    def dropout(self) -> float:
        """The share of a trunk's features that training drops."""
        ...

    @property
    def dtype(self) -> str:
        """What the trunk computes in."""
        ...


class FeatureHeads(nnx.Module):
    """The two heads, as layers of the module that is derived from it.

    Kernels start orthogonal, biases at zero, with PPO's usual gains: 0.01 for the policy, so that
    it starts near uniform, and 1 for the value (Andrychowicz et al. 2021, "What Matters In
    On-Policy RL?", section 3.2; https://arxiv.org/abs/2006.05990).
    """

    def __init__(
        self, num_features: int, *, num_actions: int, options: Options, rngs: nnx.Rngs
    ) -> None:
        self.value_head = options.value_head
        self.dropout = options.dropout
        self.policy = dense(num_features, num_actions, gain=0.01, rngs=rngs)
        self.value = dense(num_features, 1, gain=1.0, rngs=rngs)

    def heads(self, features: Array, training: Training | None = None) -> Outputs:
        """Maps features `[B, F]` to logits `[B, A]` and values `[B]`."""
        features = drop(features.astype(jnp.float32), self.dropout, training)
        value = bounded(self.value(features)[:, 0], self.value_head)
        return Outputs(self.policy(features), value, features)


def bounded(value: Array, value_head: str) -> Array:
    """Gives a value as `value_head` says: as it is, or its tanh."""
    return jnp.tanh(value) if value_head == "tanh" else value
