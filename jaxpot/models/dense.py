"""Dense layers: how they start, and the nonlinearities behind them."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": jax.nn.gelu,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "tanh": jax.nn.tanh,
}


def dense(
    num_inputs: int, num_outputs: int, *, gain: float, rngs: nnx.Rngs, dtype: str = "float32"
) -> nnx.Linear:
    """Makes a dense layer with an orthogonal kernel of the given gain and a zero bias.

    Kernel and bias are float32; the layer computes in `dtype`, and gives that.
    """
    return nnx.Linear(
        num_inputs, num_outputs, kernel_init=orthogonal(gain), dtype=jnp.dtype(dtype), rngs=rngs
    )


def hidden_layers(
    num_inputs: int, widths: tuple[int, ...], *, dtype: str, rngs: nnx.Rngs
) -> nnx.List[nnx.Linear]:
    """Makes the hidden layers of a perceptron, of gain sqrt(2)."""
    return nnx.List(
        [
            dense(width_in, width_out, gain=math.sqrt(2.0), dtype=dtype, rngs=rngs)
            for width_in, width_out in itertools.pairwise((num_inputs, *widths))
        ]
    )


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

        q = _polar_factor(tall)
        return gain * (q if rows >= columns else q.T).reshape(shape)

    return init


# jit caches by shape: layers of one shape, and networks drawn without jit, share the work.
@jax.jit
def _polar_factor(tall: Array) -> Array:
    """Returns the matrix of orthonormal columns that is closest to `tall`."""

    def step(_: int, x: Array) -> Array:
        gram = jnp.matmul(x.T, x, precision="highest")
        return 1.5 * x - 0.5 * jnp.matmul(x, gram, precision="highest")

    # Each step brings a singular value s < 0.5 up by half at least; 1e-7 takes forty.
    return jax.lax.fori_loop(0, 60, step, tall / jnp.linalg.norm(tall))
