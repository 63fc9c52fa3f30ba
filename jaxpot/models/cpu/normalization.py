"""Layer normalisation followed by a ReLU, with a gradient written for CPU.

XLA's CPU backend runs each reduction of the automatic gradient as a separate pass over operands
that it writes to memory first; around 64-filter convolutions that doubled the gradient's cost. The
gradient here keeps the statistics and computes both sums over channels as small matrix products.

Axis letters: C channels, H height, W width, B batch.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

EPSILON = 1e-6

_Residuals = tuple[Array, Array, Array, Array, Array]


@jax.custom_vjp
def normalize_relu(x: Array, scale: Array, bias: Array) -> Array:
    """Normalise over channels, scale, shift and rectify.

    Layer normalisation is Ba et al. 2016, section 3; https://arxiv.org/abs/1607.06450.

    Args:
        x: `[C, H, W, B] float32`.
        scale: `[C] float32`.
        bias: `[C] float32`.

    Returns:
        `[C, H, W, B] float32`.
    """
    return _forward(x, scale, bias)[0]


# jit caches the trace: a network's many equal normalisations are traced once.
@jax.jit
def _forward(x: Array, scale: Array, bias: Array) -> tuple[Array, _Residuals]:
    mean = x.mean(axis=0, keepdims=True)
    inverse_std = lax.rsqrt(jnp.square(x - mean).mean(axis=0, keepdims=True) + EPSILON)
    affine = (x - mean) * inverse_std * _column(scale) + _column(bias)
    return jax.nn.relu(affine), (x, scale, bias, mean, inverse_std)


@jax.jit
def _backward(residuals: _Residuals, gradient: Array) -> tuple[Array, Array, Array]:
    x, scale, bias, mean, inverse_std = residuals
    wide_scale = _column(scale)
    normal = (x - mean) * inverse_std
    gradient = jnp.where(normal * wide_scale + _column(bias) > 0, gradient, 0)
    weighted = gradient * normal
    along_mean = _project(scale, gradient)
    along_normal = _project(scale, weighted)
    x_gradient = inverse_std * (gradient * wide_scale - along_mean - normal * along_normal)
    return x_gradient, weighted.sum(axis=(1, 2, 3)), gradient.sum(axis=(1, 2, 3))


normalize_relu.defvjp(_forward, _backward)


def _column(channels: Array) -> Array:
    """Reshape `[C]` to `[C, 1, 1, 1]`."""
    return channels.reshape(-1, 1, 1, 1)


def _project(scale: Array, x: Array) -> Array:
    """Average `scale * x` over channels: `[1, H, W, B]`."""
    row = (scale / scale.size)[None]
    columns = jnp.matmul(row, x.reshape(scale.size, -1), precision=lax.Precision.HIGHEST)
    return columns.reshape(1, *x.shape[1:])
