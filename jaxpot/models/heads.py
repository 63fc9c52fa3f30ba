"""Heads beside the policy and the value, for auxiliary losses, on any network's features.

Axis letters: B rows, K outputs of a head, F features.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.errors import UserError
from jaxpot.models.base import MakeModule, Network, Observation, Outputs, from_module, is_shape
from jaxpot.models.dense import dense
from jaxpot.models.memory import Carry


class WithHeads(nnx.Module):
    """A module, and a dense layer on its features for each auxiliary loss.

    The module's parameters come first from the random streams, so they are the ones that it draws
    by itself.
    """

    def __init__(
        self, make: MakeModule, widths: Mapping[str, int], features: int, *, rngs: nnx.Rngs
    ) -> None:
        self.base = make(rngs)
        # By name, so that the order in a spec, which no digest tells, draws nothing.
        self.auxiliary = nnx.Dict(
            {name: dense(features, widths[name], gain=1.0, rngs=rngs) for name in sorted(widths)}
        )

    def __call__(self, observation: Observation, **told: Any) -> Outputs:
        """Maps observations to the module's outputs and `[B, K] float32` of each head."""
        return self._with_auxiliary(self.base(observation, **told))

    def initial_carry(self, batch: int) -> Carry:
        """Returns what the module's games begin with."""
        return self.base.initial_carry(batch)

    def encode(self, observation: Observation, **told: Any) -> Any:
        """Does what the module does before its cell."""
        return self.base.encode(observation, **told)

    def cell(self, carry: Carry, x: Any) -> tuple[Carry, Any]:
        """Takes a step of the module's cell."""
        return self.base.cell(carry, x)

    def heads(self, y: Any, **told: Any) -> Outputs:
        """Maps what the cell gave to the module's outputs and `[B, K] float32` of each head."""
        return self._with_auxiliary(self.base.heads(y, **told))

    def _with_auxiliary(self, outputs: Outputs) -> Outputs:
        features: Any = outputs.features
        told = {name: head(features.astype(jnp.float32)) for name, head in self.auxiliary.items()}
        return outputs._replace(auxiliary=told)


def with_heads(network: Network, widths: Mapping[str, int]) -> Network:
    """Gives a network heads for auxiliary losses; in play they are dead code.

    Args:
        network: The network, whose module's outputs tell its features.
        widths: K of each head, by the losses' names; without any, the network stays as it is.

    Raises:
        UserError: The network does not tell its features.
    """
    if not widths:
        return network
    features = _num_features(network)
    return from_module(
        lambda rngs: WithHeads(network.make, widths, features, rngs=rngs),
        observation_shape=network.observation_shape,
        num_actions=network.num_actions,
        recurrent=network.recurrent,
        trains=network.trains,
    )


def _num_features(network: Network) -> int:
    def step(key: Array, observation: Observation) -> Array | None:
        params, model_state = network.init(key)
        outputs, _ = network.step(params, model_state, observation, network.initial_carry(1))
        return outputs.features

    seen = jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct((1, *shape), jnp.float32),
        network.observation_shape,
        is_leaf=is_shape,
    )
    features = jax.eval_shape(step, jax.random.key(0), seen)
    if features is None:
        raise UserError(
            "an auxiliary loss needs a model that gives its features: a module of your own "
            "returns jaxpot.models.Outputs(logits, value, features)"
        )
    if features.ndim != 2:
        raise UserError(f"the model's features are {list(features.shape)}; expected [B, F]")
    return features.shape[1]
