"""The multilayer perceptron: a shared trunk with a policy head and a value head."""

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.base import Network, from_module

if TYPE_CHECKING:
    from jaxpot.spec import MLP

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": jax.nn.gelu,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "tanh": jax.nn.tanh,
}


class MLPModule(nnx.Module):
    """Flattened observation -> hidden layers -> policy and value heads.

    Kernels start orthogonal, biases at zero, with PPO's usual gains: sqrt(2) in the trunk,
    0.01 for the policy, so that it starts near uniform, and 1 for the value (Andrychowicz et
    al. 2021, "What Matters In On-Policy RL?", section 3.2; https://arxiv.org/abs/2006.05990).
    """

    def __init__(
        self,
        *,
        num_inputs: int,
        hidden_dims: tuple[int, ...],
        num_actions: int,
        activation: Callable[[Array], Array],
        rngs: nnx.Rngs,
    ) -> None:
        self.activation = activation
        widths = (num_inputs, *hidden_dims)
        self.hidden = nnx.List(
            [
                dense(width_in, width_out, gain=math.sqrt(2.0), rngs=rngs)
                for width_in, width_out in itertools.pairwise(widths)
            ]
        )
        self.policy = dense(widths[-1], num_actions, gain=0.01, rngs=rngs)
        self.value = dense(widths[-1], 1, gain=1.0, rngs=rngs)

    def __call__(self, observation: Array) -> tuple[Array, Array]:
        """Maps observations `[B, ...] float32` to logits `[B, A]` and values `[B]`."""
        features = observation.reshape(observation.shape[0], -1)
        for layer in self.hidden:
            features = self.activation(layer(features))
        return self.policy(features), self.value(features)[:, 0]


def dense(num_inputs: int, num_outputs: int, *, gain: float, rngs: nnx.Rngs) -> nnx.Linear:
    """Makes a dense layer with an orthogonal kernel of the given gain and a zero bias."""
    return nnx.Linear(num_inputs, num_outputs, kernel_init=orthogonal(gain), rngs=rngs)


def orthogonal(gain: float) -> Callable[..., Array]:
    """Returns an initializer of orthogonal matrices, uniform over them, without LAPACK.

    The polar factor of a Gaussian matrix, by Newton-Schulz iterations: only products, which every
    device compiles in a blink, where a QR decomposition on a CPU makes jax import SciPy first.
    """

    def init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32, **_: Any) -> Array:
        rows, columns = math.prod(shape[:-1]), shape[-1]
        # Drawn flat, which gives the same bits and compiles in a fraction of the time on a CPU.
        shape_of_tall = max(rows, columns), min(rows, columns)
        tall = jax.random.normal(key, (rows * columns,), dtype).reshape(shape_of_tall)

        def step(_: int, x: Array) -> Array:
            gram = jnp.matmul(x.T, x, precision="highest")
            return 1.5 * x - 0.5 * jnp.matmul(x, gram, precision="highest")

        # Each step brings a singular value s < 0.5 up by half at least; 1e-7 takes forty.
        q = jax.lax.fori_loop(0, 60, step, tall / jnp.linalg.norm(tall))
        return gain * (q if rows >= columns else q.T).reshape(shape)

    return init


def build(config: "MLP", *, observation_shape: tuple[int, ...], num_actions: int) -> Network:
    """Builds the network of a `kind = "mlp"` model."""

    def make(rngs: nnx.Rngs) -> MLPModule:
        return MLPModule(
            num_inputs=math.prod(observation_shape),
            hidden_dims=config.hidden_dims,
            num_actions=num_actions,
            activation=ACTIVATIONS[config.activation],
            rngs=rngs,
        )

    return from_module(make, observation_shape=observation_shape, num_actions=num_actions)
