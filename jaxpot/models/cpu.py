"""Layers written by hand for XLA's CPU backend; other platforms run XLA's own operations.

**Convolution.** The CPU backend runs the gradients of `lax.conv_general_dilated` dozens of times
slower inside a loop than outside (jax 0.10), and a training update is a loop. On CPU the
convolution and both gradients are therefore one matrix product each. See docs/performance.md,
"Convolutions on CPU".

**Normalisation.** The CPU backend runs each reduction of the automatic gradient as a separate pass
over operands that it writes to memory first; around 64-filter convolutions that doubled the
gradient's cost. The gradient here keeps the statistics and computes both sums over channels as
small matrix products.

**Tiles.** A CPU's caches hold the activations of a few rows, but not of a whole batch.

Arrays are channels first, batch last. With `M = H * W * B` columns every product then has its
contracted axis where the backend's fast kernels want it, shifts move whole blocks of memory, and
reductions over channels vectorise over columns.

Axis letters: C or I input channels, O output channels, H height, W width, B batch, P kernel height,
Q kernel width.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

_DIMENSIONS = ("CHWN", "HWIO", "CHWN")
EPSILON = 1e-6

_Residuals = tuple[Array, Array, Array, Array, Array]


@jax.custom_vjp
def convolution(x: Array, kernel: Array) -> Array:
    """Convolve with stride 1 and zero padding that keeps height and width ("SAME").

    Args:
        x: `[I, H, W, B]`.
        kernel: `[P, Q, I, O]`, of x's dtype.

    Returns:
        `[O, H, W, B]`.
    """
    return _convolve(x, kernel)


def plain_convolution(x: Array, kernel: Array) -> Array:
    """Compute what `convolution` does by XLA's own operation."""
    return lax.conv_general_dilated(
        x, kernel, window_strides=(1, 1), padding="SAME", dimension_numbers=_DIMENSIONS
    )


def product_convolution(x: Array, kernel: Array) -> Array:
    """Compute what `convolution` does as one matrix product.

    The Q horizontal taps are gathered before the product and the P vertical ones summed after
    it: Q * I + P * O rows of columns pass through memory, where gathering all taps first
    (im2col) takes P * Q * I + O. With few input channels, such as a board's planes, im2col
    moves less, and is used instead.
    """
    gathered, summed, width, inputs, outputs = _split(kernel)
    weights = kernel.reshape(gathered, summed, width * inputs, outputs)
    weights = weights.transpose(1, 3, 0, 2).reshape(summed * outputs, -1)
    terms = weights @ _gather(x, gathered, width)
    return _sum_taps(terms.reshape(summed, outputs, *x.shape[1:]), axis=1)


def product_gradients(x: Array, kernel: Array, gradient: Array) -> tuple[Array, Array]:
    """Compute both gradients of `product_convolution`, as one matrix product each.

    Args:
        x: `[I, H, W, B]`.
        kernel: `[P, Q, I, O]`.
        gradient: The output's cotangent, `[O, H, W, B]`.

    Returns:
        The cotangents of `x` and of `kernel`. The taps are gathered a second time instead of
        kept from the forward pass: copying them costs less than holding Q times the image.
    """
    gathered, summed, width, inputs, outputs = _split(kernel)
    spread = _gather_taps(gradient, summed, axis=1, flip=True).reshape(summed * outputs, -1)
    weights = kernel.reshape(gathered, summed, width * inputs, outputs)
    weights = weights.transpose(0, 2, 1, 3).reshape(-1, summed * outputs)
    terms = (weights @ spread).reshape(gathered, width, *x.shape)
    rows = [_sum_taps(row, axis=2, flip=True) for row in terms]
    taps = _gather(x, gathered, width)
    kernel_gradient = lax.dot_general(taps, spread, (((1,), (1,)), ((), ())))
    kernel_gradient = kernel_gradient.reshape(gathered, width * inputs, summed, outputs)
    return (
        _sum_taps(rows, axis=1, flip=True),
        kernel_gradient.transpose(0, 2, 1, 3).reshape(kernel.shape),
    )


def _plain_gradients(x: Array, kernel: Array, gradient: Array) -> tuple[Array, Array]:
    _, pullback = jax.vjp(plain_convolution, x, kernel)
    return pullback(gradient)


# jit caches the trace: a network's many equal convolutions are traced once.
@jax.jit
def _convolve(x: Array, kernel: Array) -> Array:
    return lax.platform_dependent(x, kernel, cpu=product_convolution, default=plain_convolution)


@jax.jit
def _convolve_gradients(x: Array, kernel: Array, gradient: Array) -> tuple[Array, Array]:
    return lax.platform_dependent(
        x, kernel, gradient, cpu=product_gradients, default=_plain_gradients
    )


convolution.defvjp(
    lambda x, kernel: (_convolve(x, kernel), (x, kernel)),
    lambda operands, gradient: _convolve_gradients(*operands, gradient),
)


def _split(kernel: Array) -> tuple[int, int, int, int, int]:
    """Return how many vertical taps are gathered and how many summed, then Q, I and O."""
    height, width, inputs, outputs = kernel.shape
    sums = width * inputs + height * outputs < height * width * inputs + outputs
    return (1, height, width, inputs, outputs) if sums else (height, 1, width, inputs, outputs)


def _gather(x: Array, height: int, width: int) -> Array:
    """Gather vertical and horizontal taps of `[I, H, W, B]`: `[height * width * I, M]`."""
    taps = _gather_taps(_gather_taps(x, width, axis=2), height, axis=1)
    return taps.reshape(taps.shape[0], -1)


def _gather_taps(x: Array, taps: int, *, axis: int, flip: bool = False) -> Array:
    """Stack `taps` shifted copies of `x` along its first axis."""
    return jnp.concatenate([_shift(x, o, axis=axis) for o in _offsets(taps, flip=flip)])


def _sum_taps(terms: Array | list[Array], *, axis: int, flip: bool = False) -> Array:
    """Sum the terms, one per tap, each shifted as `_gather_taps` shifts its copy."""
    offsets = _offsets(len(terms), flip=flip)
    shifted = [_shift(term, o, axis=axis) for term, o in zip(terms, offsets, strict=True)]
    return functools.reduce(jnp.add, shifted)


def _offsets(taps: int, *, flip: bool) -> list[int]:
    """List where each tap reads, relative to its output: -1, 0, 1 for three taps."""
    before = (taps - 1) // 2
    return [before - tap if flip else tap - before for tap in range(taps)]


def _shift(x: Array, offset: int, *, axis: int) -> Array:
    """Read `x[i + offset]` at each `i` along an axis, zero outside."""
    config = [(-offset, offset, 0) if a == axis else (0, 0, 0) for a in range(x.ndim)]
    return lax.pad(x, jnp.zeros((), x.dtype), config) if offset else x


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
    return _normalize(x, scale, bias)[0]


# jit caches the trace: a network's many equal normalisations are traced once.
@jax.jit
def _normalize(x: Array, scale: Array, bias: Array) -> tuple[Array, _Residuals]:
    mean = x.mean(axis=0, keepdims=True)
    inverse_std = lax.rsqrt(jnp.square(x - mean).mean(axis=0, keepdims=True) + EPSILON)
    affine = (x - mean) * inverse_std * column(scale) + column(bias)
    return jax.nn.relu(affine), (x, scale, bias, mean, inverse_std)


@jax.jit
def _normalize_gradients(residuals: _Residuals, gradient: Array) -> tuple[Array, Array, Array]:
    x, scale, bias, mean, inverse_std = residuals
    wide_scale = column(scale)
    normal = (x - mean) * inverse_std
    gradient = jnp.where(normal * wide_scale + column(bias) > 0, gradient, 0)
    weighted = gradient * normal
    along_mean = _average(scale, gradient)
    along_normal = _average(scale, weighted)
    x_gradient = inverse_std * (gradient * wide_scale - along_mean - normal * along_normal)
    return x_gradient, weighted.sum(axis=(1, 2, 3)), gradient.sum(axis=(1, 2, 3))


normalize_relu.defvjp(_normalize, _normalize_gradients)


def column(channels: Array) -> Array:
    """Reshape `[C]` to `[C, 1, 1, 1]`."""
    return channels.reshape(-1, 1, 1, 1)


def _average(scale: Array, x: Array) -> Array:
    """Average `scale * x` over channels: `[1, H, W, B]`."""
    row = (scale / scale.size)[None]
    columns = jnp.matmul(row, x.reshape(scale.size, -1), precision=lax.Precision.HIGHEST)
    return columns.reshape(1, *x.shape[1:])


def over_tiles(function: Callable[[Array], Any], x: Array, *, tile: int) -> Any:
    """Apply a function to a batch, on CPU at most `tile` rows at a time.

    Args:
        function: Maps `[B, ...]` to a pytree of `[B, ...]`, each row independently.
        x: `[B, ...]`.
        tile: The most rows of a tile. All tiles have one size; the last is padded with zero
            rows, fewer than there are tiles.
    """
    tiles = math.ceil(x.shape[0] / tile)
    if tiles <= 1:
        return function(x)

    def tiled(x: Array) -> Any:
        rows = x.shape[0]
        size = math.ceil(rows / tiles)
        padded = jnp.pad(x, [(0, tiles * size - rows)] + [(0, 0)] * (x.ndim - 1))
        outputs = lax.map(function, padded.reshape(tiles, size, *x.shape[1:]))
        return jax.tree.map(lambda y: y.reshape(tiles * size, *y.shape[2:])[:rows], outputs)

    return lax.platform_dependent(x, cpu=tiled, default=function)
