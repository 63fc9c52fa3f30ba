"""The cells of recurrent networks against their formulas in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxpot.models.base import count_parameters
from jaxpot.models.trunk import GRUCell, LSTMCell
from tests.models.tiny import ACTIONS, GRU, LSTM, build

INPUTS, UNITS, BATCH = 4, 3, 2


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def normal(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def test_lstm():
    cell = LSTMCell(INPUTS, UNITS, dtype="float32", rngs=nnx.Rngs(0))
    x, c, h = normal(BATCH, INPUTS), normal(BATCH, UNITS), normal(BATCH, UNITS + 0)
    (next_c, next_h), y = cell((jnp.asarray(c), jnp.asarray(h)), jnp.asarray(x))
    gates = x @ np.asarray(cell.gates.dense_i.kernel[...])
    gates = gates + h @ np.asarray(cell.gates.dense_h.kernel[...])
    into, forget, new, out = np.split(gates, 4, axis=1)
    expected = sigmoid(forget) * c + sigmoid(into) * np.tanh(new)
    np.testing.assert_allclose(next_c, expected, atol=1e-5)
    np.testing.assert_allclose(next_h, sigmoid(out) * np.tanh(expected), atol=1e-5)
    np.testing.assert_array_equal(y, next_h)


def test_gru():
    cell = GRUCell(INPUTS, UNITS, dtype="float32", rngs=nnx.Rngs(0))
    x, h = normal(BATCH, INPUTS), normal(BATCH, UNITS)
    carry, y = cell(jnp.asarray(h), jnp.asarray(x))
    of_x = np.split(x @ np.asarray(cell.gates.dense_i.kernel[...]), 3, axis=1)
    of_h = np.split(h @ np.asarray(cell.gates.dense_h.kernel[...]), 3, axis=1)
    reset, update = (sigmoid(a + b) for a, b in zip(of_x[:2], of_h[:2], strict=True))
    new = np.tanh(of_x[2] + reset * of_h[2])
    np.testing.assert_allclose(y, (1 - update) * new + update * h, atol=1e-5)
    np.testing.assert_array_equal(carry, y)


@pytest.mark.parametrize(("config", "gates", "biases"), [(LSTM, 4, 4), (GRU, 3, 3)])
def test_parameter_count(config, gates, biases):
    encoder, units = 8, 6
    cell = gates * units * (encoder + units) + biases * units
    heads = (units + 1) * (ACTIONS + 1)
    assert count_parameters(build(config)) == (18 + 1) * encoder + cell + heads
