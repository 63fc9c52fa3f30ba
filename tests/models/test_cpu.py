"""The layers for CPU against XLA's own, plain operations, differences and whole batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from jaxpot.models.cpu import (
    EPSILON,
    convolution,
    normalize_relu,
    over_tiles,
    plain_convolution,
    product_convolution,
    product_gradients,
)

# (height, width), (kernel height, kernel width), input channels, output channels, batch
SHAPES = [
    ((6, 7), (3, 3), 5, 4, 3),
    ((6, 7), (1, 1), 5, 4, 3),
    ((3, 3), (3, 3), 2, 8, 1),
    ((4, 5), (5, 3), 1, 2, 2),
    ((4, 5), (2, 4), 3, 1, 2),
    ((3, 3), (2, 2), 1, 8, 2),
    ((1, 1), (3, 3), 2, 2, 2),
    ((2, 1), (7, 5), 2, 3, 2),
]


def operands(shape, dtype=np.float32, seed=0):
    image, window, inputs, outputs, batch = shape
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(inputs, *image, batch)).astype(dtype)
    kernel = draw.normal(size=(*window, inputs, outputs)).astype(dtype)
    gradient = draw.normal(size=(outputs, *image, batch)).astype(dtype)
    return x, kernel, gradient


def pull_back(function, x, kernel, gradient):
    y, pullback = jax.vjp(function, x, kernel)
    return y, *pullback(gradient)


@pytest.mark.parametrize(
    ("shape", "dtype", "tolerance"),
    [
        *((shape, np.float32, 1e-4) for shape in SHAPES),
        *((shape, jnp.bfloat16, 1e-1) for shape in SHAPES[:3]),
    ],
)
def test_equals_plain_convolution_and_its_gradients(shape, dtype, tolerance):
    args = operands(shape, dtype)
    got = jax.jit(lambda *args: pull_back(convolution, *args))(*args)
    want = jax.jit(lambda *args: pull_back(plain_convolution, *args))(*args)
    for mine, theirs in zip(got, want, strict=True):
        assert mine.shape == theirs.shape
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(
            np.asarray(mine, np.float32),
            np.asarray(theirs, np.float32),
            rtol=tolerance,
            atol=tolerance,
        )


@settings(max_examples=8)
@given(
    image=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    batch=st.integers(1, 3),
)
def test_equals_a_sum_over_taps_in_numpy(image, window, channels, batch):
    x, kernel, _ = operands((image, window, *channels, batch))
    expected = np.zeros((channels[1], *image, batch), np.float32)
    for p, q, h, w in np.ndindex(*window, *image):
        row, column = h + p - (window[0] - 1) // 2, w + q - (window[1] - 1) // 2
        if 0 <= row < image[0] and 0 <= column < image[1]:
            expected[:, h, w] += kernel[p, q].T @ x[:, row, column]
    # Operation by operation: compiling each drawn shape would take most of a minute.
    with jax.disable_jit():
        np.testing.assert_allclose(product_convolution(x, kernel), expected, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_gradients_against_differences(shape):
    x, kernel, _ = operands(shape)
    check_grads(convolution, (x, kernel), order=1, modes=["rev"], atol=1e-1, rtol=1e-1)


def test_gradients_are_the_product_form_s_own():
    x, kernel, gradient = operands(SHAPES[0])
    got = jax.jit(product_gradients)(x, kernel, gradient)
    want = jax.jit(lambda *args: pull_back(product_convolution, *args))(x, kernel, gradient)[1:]
    for mine, automatic in zip(got, want, strict=True):
        np.testing.assert_allclose(mine, automatic, rtol=1e-4, atol=1e-4)


def test_maps_over_kernels():
    x, kernel, _ = operands(SHAPES[0])
    kernels = jnp.stack([kernel, 2 * kernel])
    got = jax.jit(jax.vmap(convolution, in_axes=(None, 0)))(x, kernels)
    np.testing.assert_allclose(got[1], 2 * got[0], rtol=1e-4, atol=1e-4)


def lowered(platform):
    x, kernel, gradient = operands(SHAPES[0])
    traced = jax.jit(lambda *args: pull_back(convolution, *args)).trace(x, kernel, gradient)
    return traced.lower(lowering_platforms=(platform,)).as_text()


def test_cpu_gets_products_and_other_platforms_the_plain_convolution():
    assert "stablehlo.convolution" not in lowered("cpu")
    assert lowered("cpu").count("stablehlo.dot_general") == 3
    for platform in ("cuda", "tpu"):
        assert lowered(platform).count("stablehlo.convolution") == 3
        assert "stablehlo.dot_general" not in lowered(platform)


def plain(x, scale, bias):
    mean, variance = x.mean(axis=0, keepdims=True), x.var(axis=0, keepdims=True)
    normal = (x - mean) / jnp.sqrt(variance + EPSILON)
    wide = (-1, 1, 1, 1)
    return jax.nn.relu(normal * scale.reshape(wide) + bias.reshape(wide))


def norm_operands(shape=(6, 3, 2, 5)):
    draw = np.random.default_rng(0)
    arrays = [draw.normal(size=s) for s in (shape, shape[0], shape[0], shape)]
    x, scale, bias, gradient = (array.astype(np.float32) for array in arrays)
    return 3 * x + 1, scale, bias, gradient


def test_a_norm_equals_plain_operations_and_their_gradients():
    *args, gradient = norm_operands()

    def evaluate(function):
        y, pullback = jax.vjp(function, *args)
        return y, *pullback(gradient)

    for got, want in zip(
        jax.jit(lambda: evaluate(normalize_relu))(), jax.jit(lambda: evaluate(plain))(), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_a_norm_s_gradients_against_differences():
    # Biased upwards, so that no difference straddles the ReLU's corner.
    x, scale, _, _ = norm_operands((4, 1, 2, 2))
    bias = np.full(4, 9.0, np.float32)
    check_grads(normalize_relu, (x, scale, bias), order=1, modes=["rev"], atol=5e-2, rtol=5e-2)


def test_equal_channels_are_no_division_by_zero():
    x = jnp.ones((4, 2, 2, 3))
    y, pullback = jax.vjp(normalize_relu, x, jnp.ones(4), jnp.zeros(4))
    assert not np.any(y)
    assert all(np.isfinite(leaf).all() for leaf in pullback(jnp.ones_like(y)))


def double(x):
    return {"sum": 2.0 * x.sum(axis=1), "same": x}


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8, 9, 11])
def test_gives_every_row_once_and_in_order(rows):
    x = jnp.arange(3.0 * rows).reshape(rows, 3)
    got = jax.jit(lambda x: over_tiles(double, x, tile=4))(x)
    np.testing.assert_array_equal(got["same"], x)
    np.testing.assert_array_equal(got["sum"], double(x)["sum"])


def test_gradients_reach_what_the_function_closes_over():
    x = jnp.arange(10.0).reshape(5, 2)

    def total(weight):
        return over_tiles(lambda x: x * jnp.broadcast_to(weight, x.shape), x, tile=2).sum()

    np.testing.assert_allclose(jax.jit(jax.grad(total))(jnp.ones(2)), x.sum(axis=0))


def test_only_cpu_loops():
    def lowered(platform, rows):
        traced = jax.jit(lambda x: over_tiles(double, x, tile=4)).trace(jnp.zeros((rows, 3)))
        return traced.lower(lowering_platforms=(platform,)).as_text()

    assert "stablehlo.while" in lowered("cpu", 9)
    assert "stablehlo.while" not in lowered("cpu", 4)
    assert "stablehlo.while" not in lowered("cuda", 9)
