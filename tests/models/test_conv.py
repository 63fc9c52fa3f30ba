"""The residual network."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from jaxpot.models import board, conv
from jaxpot.models.base import Variables, count_parameters
from jaxpot.models.board import SQUARE_FILTERS, VALUE_WIDTH
from jaxpot.spec import ResNet

SHAPE = (3, 4, 2)
ACTIONS = 5


def build(*, num_filters=6, num_blocks=2, norm="layer"):
    config = ResNet(num_filters=num_filters, num_blocks=num_blocks, norm=norm)
    return conv.build_resnet(config, observation_shape=SHAPE, num_actions=ACTIONS)


def reference(params, observation):
    """The same network from jax's and flax's own parts, batch first and channels last."""

    def convolve(x, layer):
        dimensions = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(
            x, layer["kernel"], (1, 1), "SAME", dimension_numbers=dimensions
        )

    def norm_relu(x, layer):
        if layer is None:
            return jax.nn.relu(x)
        norm = nnx.LayerNorm(x.shape[-1], epsilon=1e-6, rngs=nnx.Rngs(0))
        norm.scale[...], norm.bias[...] = layer["scale"], layer["bias"]
        return jax.nn.relu(norm(x))

    def dense(x, layer):
        return jnp.matmul(x, layer["kernel"]) + jnp.broadcast_to(
            layer["bias"], (*x.shape[:-1], layer["bias"].size)
        )

    x = convolve(observation, params["stem"])
    for i in range(len(params["blocks"])):
        block = params["blocks"][str(i)]
        y = convolve(norm_relu(x, block.get("norm1")), block["conv1"])
        x = x + convolve(norm_relu(y, block.get("norm2")), block["conv2"])
    x = norm_relu(x, params.get("norm"))
    flat = x.reshape(x.shape[0], -1, x.shape[-1])
    largest = jnp.take_along_axis(flat, flat.argmax(axis=1, keepdims=True), axis=1)
    pooled = jnp.concatenate([flat.mean(axis=1), largest[:, 0]], axis=1)
    # A square's features lie together here; the network lays a feature's squares together.
    squares = jax.nn.relu(dense(x, params["policy_squares"])).transpose(0, 3, 1, 2)
    features = jnp.concatenate([squares.reshape(x.shape[0], -1), pooled], axis=1)
    hidden = jax.nn.relu(dense(pooled, params["value_hidden"]))
    return dense(features, params["policy"]), dense(hidden, params["value"])[:, 0]


def shake(params, seed=0):
    """Moves every parameter off its start, where scales are one and biases zero."""
    draw = np.random.default_rng(seed)
    return jax.tree.map(lambda p: p + 0.1 * draw.normal(size=p.shape).astype(np.float32), params)


def test_parameter_count():
    f, blocks, (height, width, channels) = 6, 2, SHAPE
    stem = 9 * channels * f
    trunk = blocks * 2 * (9 * f * f + 2 * f) + 2 * f
    p, v = SQUARE_FILTERS, VALUE_WIDTH
    policy = (f + 1) * p + (height * width * p + 2 * f + 1) * ACTIONS
    value = (2 * f + 1) * v + v + 1
    assert count_parameters(build()) == stem + trunk + policy + value


def test_against_the_network_from_plain_parts():
    network = build(num_blocks=1)
    params = shake(network.init(jax.random.key(1)).params)
    observation = jax.random.normal(jax.random.key(2), (7, *SHAPE))

    def total(apply, params):
        logits, value = apply(params, observation)
        return (jnp.sin(logits).sum() + jnp.square(value).sum()), (logits, value)

    def differentiate(apply):
        return jax.jit(jax.grad(lambda p: total(apply, p), has_aux=True))(params)

    gradient, outputs = differentiate(lambda p, x: network.apply(Variables(p), x))
    expected_gradient, expected = differentiate(reference)
    for got, want in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    for got, want in zip(
        jax.tree.leaves(gradient), jax.tree.leaves(expected_gradient), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)


def test_without_normalisation():
    network = build(num_blocks=1, norm="none")
    params = network.init(jax.random.key(1)).params
    assert set(params["blocks"]["0"]) == {"conv1", "conv2"}
    observation = jax.random.normal(jax.random.key(2), (3, *SHAPE))
    logits, value = jax.jit(network.apply)(Variables(params), observation)
    expected_logits, expected_value = jax.jit(reference)(params, observation)
    np.testing.assert_allclose(logits, expected_logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, expected_value, rtol=1e-4, atol=1e-5)


def test_tiles_change_nothing_but_rounding(monkeypatch):
    monkeypatch.setattr(board, "TILE_POSITIONS", 1)
    network = build(num_blocks=1)
    params = network.init(jax.random.key(1)).params
    observation = jax.random.normal(jax.random.key(2), (40, *SHAPE))
    logits, value = jax.jit(network.apply)(Variables(params), observation)
    expected_logits, expected_value = jax.jit(reference)(params, observation)
    np.testing.assert_allclose(logits, expected_logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, expected_value, rtol=1e-4, atol=1e-5)


def test_runs_repeat_themselves_to_the_bit():
    network = build(num_filters=16, num_blocks=1)
    params = network.init(jax.random.key(1)).params
    observation = jax.random.normal(jax.random.key(2), (200, *SHAPE))
    gradient = jax.jit(jax.grad(lambda p: network.apply(Variables(p), observation)[0].sum()))
    first = [leaf.tobytes() for leaf in map(np.asarray, jax.tree.leaves(gradient(params)))]
    for _ in range(5):
        again = [leaf.tobytes() for leaf in map(np.asarray, jax.tree.leaves(gradient(params)))]
        assert again == first
