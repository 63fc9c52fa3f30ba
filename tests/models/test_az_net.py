"""Batch normalisation against NumPy, over the rows that count."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxpot.models.az_net import DECAY, EPSILON, BatchNorm
from jaxpot.models.base import Training

X = np.random.default_rng(0).normal(1.0, 2.0, size=(3, 2, 4, 5)).astype(np.float32)
ROWS = np.array([True, False, True, True, False])
WIDE = (-1, 1, 1, 1)


@pytest.fixture
def norm():
    norm = BatchNorm(3)
    norm.scale[...] = jnp.array([1.0, -2.0, 0.5])
    norm.bias[...] = jnp.array([0.0, 1.0, -1.0])
    return norm


def expected(norm, mean, variance):
    normal = (X - mean.reshape(WIDE)) / np.sqrt(variance.reshape(WIDE) + EPSILON)
    scale, bias = np.asarray(norm.scale[...]), np.asarray(norm.bias[...])
    return normal * scale.reshape(WIDE) + bias.reshape(WIDE)


def test_training_uses_and_keeps_the_statistics_of_rows_that_count(norm):
    got = norm(X, Training(jnp.asarray(ROWS), nnx.Rngs()))
    counted = X[..., ROWS]
    mean, variance = counted.mean(axis=(1, 2, 3)), counted.var(axis=(1, 2, 3))
    np.testing.assert_allclose(got, expected(norm, mean, variance), atol=1e-5)
    np.testing.assert_allclose(norm.mean[...], (1 - DECAY) * mean, atol=1e-6)
    np.testing.assert_allclose(norm.variance[...], DECAY + (1 - DECAY) * variance, atol=1e-6)


def test_play_uses_the_running_statistics_and_leaves_them(norm):
    norm.mean[...], norm.variance[...] = jnp.array([1.0, 2.0, 3.0]), jnp.array([4.0, 1.0, 9.0])
    got = norm(X, None)
    mean, variance = np.array([1.0, 2.0, 3.0]), np.array([4.0, 1.0, 9.0])
    np.testing.assert_allclose(got, expected(norm, mean, variance), atol=1e-5)
    np.testing.assert_array_equal(norm.mean[...], mean)
    np.testing.assert_array_equal(norm.variance[...], variance)


def test_a_batch_in_which_no_row_counts_moves_nothing(norm):
    got = norm(X, Training(jnp.zeros(5, bool), nnx.Rngs()))
    assert np.isfinite(got).all()
    np.testing.assert_array_equal(norm.mean[...], np.zeros(3))
    np.testing.assert_array_equal(norm.variance[...], np.ones(3))


def test_statistics_are_float32_in_half_precision(norm):
    got = norm(jnp.asarray(X, jnp.bfloat16), Training(jnp.asarray(ROWS), nnx.Rngs()))
    assert got.dtype == jnp.bfloat16
    assert norm.mean[...].dtype == norm.variance[...].dtype == jnp.float32
