"""Auxiliary losses: what a network learns to predict in addition to policy and value.

An auxiliary loss records something in the rollout, and trains a head of the network to predict it.
This module has the contract of one, what an experiment does with all of them, and the network with
their heads.

Axis letters: T steps, N lanes, B rows, K outputs of a head, F features.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.algorithms.base import Rollout
from jaxpot.errors import UserError
from jaxpot.games import Environment
from jaxpot.models.base import MakeModule, Network, Observation, Outputs, from_module, is_shape
from jaxpot.models.layers import dense
from jaxpot.models.memory import Carry
from jaxpot.spec.registry import implementation


class AuxiliaryLoss(Protocol):
    """A prediction task that a network learns in addition; frozen, without arrays.

    Its head is a dense layer on the network's features. The loss trains the head and what is below
    it; play does not evaluate the head.
    """

    @property
    def target(self) -> str:
        """The name of the predicted quantity; a network predicts each one once."""
        ...

    @property
    def width(self) -> int:
        """K."""
        ...

    @property
    def coeff(self) -> float:
        """The loss's weight in the sum of all losses."""
        ...

    def record(self, env: Environment[Any], state: Any) -> Array | None:
        """Read `[N, ...]` off the batched states before a step, to be kept with the rollout.

        It may read what players cannot see; it draws nothing. Return None if the fields of the
        rollout are enough.
        """
        ...

    def targets(self, rollout: Rollout, recorded: Array | None) -> tuple[Array, Array]:
        """Compute the targets of the head.

        Args:
            rollout: The rows, `[T, N, ...]`. A lane may begin in the middle of a game.
            recorded: `[T, N, ...]`, what `record` returned at each step; None if it returned None.

        Returns:
            The target `[T, N, ...]`, of the seat that acted, and which rows have one, `[T, N]`
            bool: rows of a game that the rollout cut short may have none, for example.
        """
        ...

    def loss(self, output: Array, target: Array) -> Array:
        """Compare the head's outputs `[B, K]` float32 with `[B, ...]`: `[B]` float32, finite."""
        ...


def build_losses(
    configs: Mapping[str, Any], *, env: Environment[Any]
) -> Mapping[str, AuxiliaryLoss]:
    """Build the auxiliary losses of an experiment, by their names.

    Raises:
        UserError: A loss refuses its config or the game, or two of them have one target.
    """
    losses: dict[str, AuxiliaryLoss] = {}
    names: dict[str, str] = {}
    for name, config in configs.items():
        loss = implementation(config)(config, env=env)
        first = names.setdefault(loss.target, name)
        if first != name:
            raise UserError(f"auxiliary losses {first} and {name} both learn {loss.target!r}")
        losses[name] = loss
    return losses


def record_states(
    losses: Mapping[str, AuxiliaryLoss], env: Environment[Any], state: Any
) -> dict[str, Array]:
    """Return what the losses record of batched states before a step: `[N, ...]` each."""
    recorded = {name: loss.record(env, state) for name, loss in losses.items()}
    return {name: each for name, each in recorded.items() if each is not None}


def auxiliary_targets(
    losses: Mapping[str, AuxiliaryLoss], rollout: Rollout, recorded: Mapping[str, Array]
) -> dict[str, tuple[Array, Array]]:
    """Compute every loss's target `[T, N, ...]`, and which rows have one, `[T, N]` bool.

    Args:
        losses: The losses by name.
        rollout: The rows.
        recorded: `[T, N, ...]`: what `record_states` returned at each step.
    """
    return {name: loss.targets(rollout, recorded.get(name)) for name, loss in losses.items()}


def auxiliary_terms(
    losses: Mapping[str, AuxiliaryLoss],
    outputs: Mapping[str, Array],
    targets: Mapping[str, tuple[Array, Array]],
    mask: Array,
) -> tuple[Array, dict[str, Array]]:
    """Compute every loss over one minibatch.

    Args:
        losses: The losses by name; there may be none.
        outputs: `[B, K]` float32: the outputs of the network's heads.
        targets: `[B, ...]` of each, and which rows have one, `[B]` bool.
        mask: `[B]` bool: the rows that count.

    Returns:
        The weighted sum, and each loss unweighted under its name, which is its payload key: the
        mean over the rows that count and have a target, 0 if there are none.
    """
    total = jnp.float32(0.0)
    metrics: dict[str, Array] = {}
    for name, loss in losses.items():
        target, known = targets[name]
        counts = mask & known
        each = jnp.where(counts, loss.loss(outputs[name], target), 0.0)
        mean = each.sum() / jnp.maximum(counts.sum(), 1)
        metrics[name] = mean
        total = total + loss.coeff * mean
    return total, metrics


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
    return with_heads(network, {name: loss.width for name, loss in auxiliary.items()})


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
