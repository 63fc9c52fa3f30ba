"""The network of an experiment: its model, with a head for each auxiliary loss.

Axis letters: B rows, K outputs of a head, F features.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.algorithms.auxiliary.base import AuxiliaryLoss, head_widths
from jaxpot.errors import UserError
from jaxpot.games import Environment
from jaxpot.models.base import MakeModule, Network, Observation, Outputs, from_module, is_shape
from jaxpot.models.layers import dense
from jaxpot.models.memory import Carry
from jaxpot.spec.registry import implementation


def build_network(
    model: Any, *, env: Environment[Any], auxiliary: Mapping[str, AuxiliaryLoss]
) -> Network:
    """Build the network that the config `model` declares, for a game.

    Raises:
        UserError: The model cannot read the game's observations, or there are auxiliary losses
            and it does not return its features.
    """
    network = implementation(model)(
        model, observation_shape=env.observation_shape, num_actions=env.num_actions
    )
    return with_heads(network, head_widths(auxiliary))


class WithHeads(nnx.Module):
    """A module with one dense layer on its features for each auxiliary loss.

    The module draws its parameters first, so that they are the same as without the heads.
    """

    def __init__(
        self, make: MakeModule, widths: Mapping[str, int], features: int, *, rngs: nnx.Rngs
    ) -> None:
        self.base = make(rngs)
        # Sorted, so that the order in a spec, which no digest holds, does not change what is drawn.
        self.auxiliary = nnx.Dict(
            {name: dense(features, widths[name], gain=1.0, rngs=rngs) for name in sorted(widths)}
        )

    def __call__(self, observation: Observation, **train_kwargs: Any) -> Outputs:
        """Map observations to the module's outputs and `[B, K] float32` of each head."""
        return self._with_auxiliary(self.base(observation, **train_kwargs))

    def initial_carry(self, batch: int) -> Carry:
        """Return the module's carry at the start of a game."""
        return self.base.initial_carry(batch)

    def encode(self, observation: Observation, **train_kwargs: Any) -> Any:
        """Run the module's layers before its cell."""
        return self.base.encode(observation, **train_kwargs)

    def cell(self, carry: Carry, x: Any) -> tuple[Carry, Any]:
        """Take a step of the module's cell."""
        return self.base.cell(carry, x)

    def heads(self, y: Any, **train_kwargs: Any) -> Outputs:
        """Map the cell's output to the module's outputs and `[B, K] float32` of each head."""
        return self._with_auxiliary(self.base.heads(y, **train_kwargs))

    def _with_auxiliary(self, outputs: Outputs) -> Outputs:
        features: Any = outputs.features
        features = features.astype(jnp.float32)
        return outputs._replace(
            auxiliary={name: head(features) for name, head in self.auxiliary.items()}
        )


def with_heads(network: Network, widths: Mapping[str, int]) -> Network:
    """Add heads for auxiliary losses to a network; in play they are dead code.

    Args:
        network: A network whose module returns its features.
        widths: K of each head, by the losses' names; if empty, the network itself is returned.

    Raises:
        UserError: The network does not return its features.
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
        variables = network.init(key)
        outputs, _ = network.step(variables, observation, network.initial_carry(1))
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
