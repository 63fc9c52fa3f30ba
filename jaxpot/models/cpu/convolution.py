"""A 2-D convolution whose gradients stay fast inside a loop on CPU.

XLA's CPU backend runs the gradients of `lax.conv_general_dilated` dozens of times slower inside
a loop than outside (jax 0.10), and a training update is a loop. On CPU this module
therefore writes the convolution and both gradients as one matrix product each. Other platforms
keep the plain convolution. See docs/performance.md, "Convolutions on CPU".

Arrays are channels first, batch last. With `M = H * W * B` columns every product then has its
contracted axis where the backend's fast kernels want it, shifts move whole blocks of memory,
and reductions over channels vectorise over columns.

Axis letters: I input channels, O output channels, H height, W width, B batch, P kernel height,
Q kernel width.
"""

import functools

import jax
import jax.numpy as jnp
from jax import Array, lax

_DIMENSIONS = ("CHWN", "HWIO", "CHWN")


@jax.custom_vjp
def convolution(x: Array, kernel: Array) -> Array:
    """Convolve with stride 1 and zero padding that keeps height and width ("SAME").

    Args:
        x: `[I, H, W, B]`.
        kernel: `[P, Q, I, O]`, of x's dtype.

    Returns:
        `[O, H, W, B]`.
    """
    return _forward(x, kernel)


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
def _forward(x: Array, kernel: Array) -> Array:
    return lax.platform_dependent(x, kernel, cpu=product_convolution, default=plain_convolution)


@jax.jit
def _backward(x: Array, kernel: Array, gradient: Array) -> tuple[Array, Array]:
    return lax.platform_dependent(
        x, kernel, gradient, cpu=product_gradients, default=_plain_gradients
    )


def _keep_operands(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _forward(x, kernel), (x, kernel)


def _pull_back(operands: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    return _backward(*operands, gradient)


convolution.defvjp(_keep_operands, _pull_back)


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
