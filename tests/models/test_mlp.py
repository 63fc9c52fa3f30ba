"""The multilayer perceptron."""

import itertools
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.models import layers, mlp
from jaxpot.models.base import count_parameters
from jaxpot.spec import MLP

SHAPE = (3, 3, 2)
ACTIONS = 9


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0.0),
    "tanh": np.tanh,
    "silu": lambda x: x / (1.0 + np.exp(-x)),
    # jax's default is the approximation of Hendrycks and Gimpel 2016, section 2.
    "gelu": lambda x: 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3))),
}


def build(**config):
    return mlp.build_mlp(MLP(**config), observation_shape=SHAPE, num_actions=ACTIONS)


@pytest.mark.parametrize("hidden_dims", [(), (8,), (8, 16, 4)])
def test_parameter_count(hidden_dims):
    network = build(hidden_dims=hidden_dims)
    widths = (18, *hidden_dims)
    trunk = sum((a + 1) * b for a, b in itertools.pairwise(widths))
    assert count_parameters(network) == trunk + (widths[-1] + 1) * (ACTIONS + 1)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_against_numpy(activation):
    network = build(hidden_dims=(8, 6), activation=activation)
    variables = jax.device_get(network.init(jax.random.key(3)))
    params = variables.params
    observation = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32)
    logits, value = jax.jit(network.apply)(variables, observation)

    x = observation.reshape(4, -1)
    for layer in (params["hidden"]["0"], params["hidden"]["1"]):
        x = ACTIVATIONS[activation](x @ layer["kernel"] + layer["bias"])
    policy, head = params["policy"], params["value"]
    np.testing.assert_allclose(logits, x @ policy["kernel"] + policy["bias"], atol=1e-5)
    np.testing.assert_allclose(value, (x @ head["kernel"] + head["bias"])[:, 0], atol=1e-5)


def test_every_activation_of_the_spec_is_there():
    (field,) = [f for f in MLP.__attrs_attrs__ if f.name == "activation"]
    assert sorted(layers.ACTIVATIONS) == sorted(get_args(field.type))


def test_starts_orthogonal_with_the_usual_gains():
    params = build(hidden_dims=(64, 64)).init(jax.random.key(0)).params
    hidden = params["hidden"]["1"]["kernel"]
    np.testing.assert_allclose(hidden.T @ hidden, 2.0 * np.eye(64), atol=1e-5)
    policy = params["policy"]["kernel"]
    np.testing.assert_allclose(policy.T @ policy, 1e-4 * np.eye(ACTIONS), atol=1e-8)
    assert jnp.linalg.norm(params["value"]["kernel"]) == pytest.approx(1.0, abs=1e-5)
    assert not any(np.any(layer["bias"]) for layer in params["hidden"].values())
