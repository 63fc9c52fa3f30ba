"""Normalisation with a ReLU against the same from plain operations."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

from jaxpot.models.cpu.normalization import EPSILON, normalize_relu


def plain(x, scale, bias):
    mean, variance = x.mean(axis=0, keepdims=True), x.var(axis=0, keepdims=True)
    normal = (x - mean) / jnp.sqrt(variance + EPSILON)
    wide = (-1, 1, 1, 1)
    return jax.nn.relu(normal * scale.reshape(wide) + bias.reshape(wide))


def operands(shape=(6, 3, 2, 5)):
    draw = np.random.default_rng(0)
    arrays = [draw.normal(size=s) for s in (shape, shape[0], shape[0], shape)]
    x, scale, bias, gradient = (array.astype(np.float32) for array in arrays)
    return 3 * x + 1, scale, bias, gradient


def test_equals_plain_operations_and_their_gradients():
    *args, gradient = operands()

    def evaluate(function):
        y, pullback = jax.vjp(function, *args)
        return y, *pullback(gradient)

    for got, want in zip(
        jax.jit(lambda: evaluate(normalize_relu))(), jax.jit(lambda: evaluate(plain))(), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_gradients_against_differences():
    # Biased upwards, so that no difference straddles the ReLU's corner.
    x, scale, _, _ = operands((4, 1, 2, 2))
    bias = np.full(4, 9.0, np.float32)
    check_grads(normalize_relu, (x, scale, bias), order=1, modes=["rev"], atol=5e-2, rtol=5e-2)


def test_equal_channels_are_no_division_by_zero():
    x = jnp.ones((4, 2, 2, 3))
    y, pullback = jax.vjp(normalize_relu, x, jnp.ones(4), jnp.zeros(4))
    assert not np.any(y)
    assert all(np.isfinite(leaf).all() for leaf in pullback(jnp.ones_like(y)))
