"""The wrapper around a flax module: names of parameters, purity, refusals."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from jaxpot.models.base import Network, Variables, count_parameters, from_module


class Linear(nnx.Module):
    """Two heads on a list of layers, so that flax has integer keys."""

    def __init__(self, rngs: nnx.Rngs, value_columns: int = 1) -> None:
        self.layers = nnx.List([nnx.Linear(4, 4, rngs=rngs) for _ in range(11)])
        self.policy = nnx.Linear(4, 3, rngs=rngs)
        self.value = nnx.Linear(4, value_columns, rngs=rngs)

    def __call__(self, observation):
        for layer in self.layers:
            observation = layer(observation)
        return self.policy(observation), self.value(observation)[:, 0]


class Keeper(nnx.Module):
    """Has its own variable, and changes it in a call if asked to."""

    def __init__(self, rngs: nnx.Rngs, changes: bool) -> None:
        self.changes = changes
        self.linear = Linear(rngs)
        self.count = nnx.Variable(jnp.zeros(()))

    def __call__(self, observation):
        if self.changes:
            self.count[...] = self.count[...] + 1.0
        logits, value = self.linear(observation)
        return logits, value + self.count[...].reshape(1)


def wrap(make) -> Network:
    return from_module(make, observation_shape=(4,), num_actions=3)


def test_keys_are_strings_and_parameters_reach_their_layers():
    network = wrap(Linear)
    variables = network.init(jax.random.key(0))
    params = variables.params
    assert variables.model_state == {}
    assert sorted(params) == ["layers", "policy", "value"]
    assert sorted(params["layers"], key=int) == [str(i) for i in range(11)]

    module = Linear(nnx.Rngs(jax.random.key(0)))
    observation = jnp.arange(8.0).reshape(2, 4)
    for got, expected in zip(
        network.apply(variables, observation), module(observation), strict=True
    ):
        assert (got == expected).all()


def test_no_array_is_made_before_init():
    with jax.checking_leaks(), jax.transfer_guard("disallow"):
        wrap(Linear)
    assert count_parameters(wrap(Linear)) == 11 * 20 + 15 + 5


def test_a_network_is_a_static_value():
    network = wrap(Linear)
    assert hash(network) == hash(network)
    assert network == network
    assert network != wrap(Linear)
    jitted = jax.jit(lambda network, x: x * network.num_actions, static_argnums=0)
    assert jitted(network, 2) == 6


def test_variables_that_are_not_trained_are_the_model_state():
    network = wrap(lambda rngs: Keeper(rngs, changes=False))
    variables = network.init(jax.random.key(0))
    assert list(variables.model_state) == ["count"]
    assert "count" not in variables.params
    observation = jnp.ones((2, 4))
    _, value = network.apply(variables, observation)
    shift = Variables(variables.params, {"count": jnp.float32(3.0)})
    _, shifted = network.apply(shift, observation)
    assert jnp.allclose(shifted - value, 3.0, atol=1e-5)


def test_a_module_that_changes_itself_is_refused():
    network = wrap(lambda rngs: Keeper(rngs, changes=True))
    variables = network.init(jax.random.key(0))
    with pytest.raises(ValueError, match="changed its own variables"):
        network.apply(variables, jnp.ones((2, 4)))


@pytest.mark.parametrize("shape", [(), (2,), (4,), (2, 3), (2, 4, 1)])
def test_an_observation_of_another_shape_is_refused(shape):
    network = wrap(Linear)
    variables = network.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"expected \[B, 4\]"):
        network.apply(variables, jnp.ones(shape))


class Column(Linear):
    """Forgets to drop the value's axis."""

    def __call__(self, observation):
        return self.policy(observation), self.value(observation)


class Half(Linear):
    """Gives half-precision logits."""

    def __call__(self, observation):
        logits, value = super().__call__(observation[:, :4])
        return logits.astype(jnp.bfloat16), value


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Column, r"value float32\[2, 1\]; expected float32\[2\]"),
        (Half, r"logits bfloat16\[2, 3\]; expected float32\[2, 3\]"),
    ],
)
def test_outputs_of_another_shape_or_dtype_are_refused(module, message):
    network = wrap(module)
    variables = network.init(jax.random.key(0))
    with pytest.raises(ValueError, match=message):
        network.apply(variables, jnp.ones((2, 4)))
