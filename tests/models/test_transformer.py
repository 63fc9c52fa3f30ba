"""The transformer: attention against NumPy, and what the order of squares changes."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxpot.models.base import Variables, count_parameters
from jaxpot.models.transformer import SelfAttention
from tests.models.tiny import ACTIONS, SHAPE, TRANSFORMER, build

HEADS, DIM, TOKENS = 2, 4, 5
WIDTH = HEADS * DIM
CONFIG = TRANSFORMER
ORDER = np.array([3, 0, 4, 1, 2])


def softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def test_attention_against_numpy_and_in_any_order():
    attention = SelfAttention(HEADS, DIM, dtype="float32", rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).normal(size=(2, TOKENS, WIDTH)).astype(np.float32)
    got = np.asarray(attention(jnp.asarray(x)))

    query, key, value = (
        (x @ np.asarray(layer.kernel[...])).reshape(2, TOKENS, HEADS, DIM)
        for layer in (attention.query, attention.key, attention.value)
    )
    weights = softmax(np.einsum("bthd,bshd->bhts", query, key) / np.sqrt(DIM))
    mixed = np.einsum("bhts,bshd->bthd", weights, value).reshape(x.shape)
    np.testing.assert_allclose(got, mixed @ np.asarray(attention.out.kernel[...]), atol=1e-5)

    shuffled = attention(jnp.asarray(x[:, ORDER]))
    np.testing.assert_allclose(shuffled, got[:, ORDER], atol=1e-5)


def test_only_the_learned_positions_tell_squares_apart():
    network = build(CONFIG)
    params = network.init(jax.random.key(0)).params
    evaluate = jax.jit(lambda params, x: network.step(Variables(params), x, ())[0].features)
    x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    turned = x[:, ::-1, ::-1].copy()
    assert not np.allclose(evaluate(params, x), evaluate(params, turned), atol=1e-4)
    blind = params | {"positions": 0.0 * params["positions"]}
    np.testing.assert_allclose(evaluate(blind, x), evaluate(blind, turned), atol=1e-5)


def test_parameter_count():
    height, width, channels = SHAPE
    embedding = (channels + 1) * WIDTH + height * width * WIDTH
    attention = 3 * WIDTH**2 + (WIDTH + 1) * WIDTH
    feed_forward = (WIDTH + 1) * 4 * WIDTH + (4 * WIDTH + 1) * WIDTH
    block = 2 * 2 * WIDTH + attention + feed_forward
    heads = (WIDTH + 1) * (ACTIONS + 1)
    assert count_parameters(build(CONFIG)) == embedding + block + 2 * WIDTH + heads
