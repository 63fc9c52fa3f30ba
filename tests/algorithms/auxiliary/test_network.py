"""Heads beside the policy and the value: what they add, and what they leave unchanged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxpot.algorithms.auxiliary import with_heads
from jaxpot.errors import UserError
from jaxpot.models import Outputs, Sequences, from_module
from jaxpot.models.base import Variables
from jaxpot.models.memory import both_seats

WIDTHS = {"far": 1, "cards": 3}
BATCH = 4


class Feedforward(nnx.Module):
    def __init__(self, *, rngs, tells=True):
        self.body = nnx.Linear(5, 8, rngs=rngs)
        self.policy = nnx.Linear(8, 3, rngs=rngs)
        self.value = nnx.Linear(8, 1, rngs=rngs)
        self.tells = tells

    def __call__(self, observation):
        return self.heads(self.encode(observation))

    def encode(self, observation):
        return jnp.tanh(self.body(observation))

    def heads(self, y):
        value = self.value(y)[:, 0]
        return Outputs(self.policy(y), value, y) if self.tells else (self.policy(y), value)


class Recurrent(Feedforward):
    def initial_carry(self, batch):
        return jnp.zeros((batch, 8))

    def cell(self, carry, x):
        carry = 0.5 * carry + x
        return carry, carry


def network(module=Feedforward, recurrent=False, **options):
    return from_module(
        lambda rngs: module(rngs=rngs, **options),
        observation_shape=(5,),
        num_actions=3,
        recurrent=recurrent,
    )


@pytest.fixture(scope="module")
def plain():
    return network()


@pytest.fixture(scope="module")
def headed(plain):
    return with_heads(plain, WIDTHS)


@pytest.fixture(scope="module")
def variables(headed):
    return jax.jit(headed.init)(jax.random.key(0))


OBSERVATION = jnp.arange(20.0).reshape(BATCH, 5) / 20


def test_the_base_draws_the_parameters_that_it_draws_by_itself(plain, variables):
    alone = jax.jit(plain.init)(jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, variables.params["base"], alone.params)


def test_the_order_of_names_draws_nothing(plain, variables):
    other = with_heads(plain, dict(reversed(WIDTHS.items())))
    jax.tree.map(np.testing.assert_array_equal, variables, jax.jit(other.init)(jax.random.key(0)))


def test_the_outputs_are_those_without_heads_and_the_heads(plain, headed, variables):
    outputs, _ = headed.step(variables, OBSERVATION, ())
    expected, _ = plain.step(Variables(variables.params["base"]), OBSERVATION, ())
    for name in ("logits", "value", "features"):
        np.testing.assert_array_equal(getattr(outputs, name), getattr(expected, name))
    assert {name: x.shape for name, x in outputs.auxiliary.items()} == {
        "far": (BATCH, 1),
        "cards": (BATCH, 3),
    }
    for name, output in outputs.auxiliary.items():
        layer = jax.device_get(variables.params["auxiliary"][name])
        reported = np.asarray(expected.features) @ layer["kernel"] + layer["bias"]
        np.testing.assert_allclose(output, reported, atol=1e-6)


def test_in_play_the_heads_are_dead_code(plain, headed, variables):
    def operations(network, variables):
        text = jax.jit(network.apply).lower(variables, OBSERVATION).compile().as_text()
        return text.count(" = ")

    base = Variables(variables.params["base"])
    unused = len(WIDTHS) * 2  # parameters of the program that nothing reads
    assert operations(headed, variables) <= operations(plain, base) + unused


def test_a_loss_of_a_head_trains_the_base(headed, variables):
    def loss(params):
        outputs, _ = headed.train(Variables(params), OBSERVATION, rows=jnp.ones(BATCH, bool))
        return jnp.square(outputs.auxiliary["cards"]).sum()

    grads = jax.jit(jax.grad(loss))(variables.params)
    assert np.any(grads["base"]["body"]["kernel"]) and np.any(grads["auxiliary"]["cards"]["kernel"])
    assert not np.any(grads["base"]["policy"]["kernel"])


def test_a_recurrent_network_has_heads_too():
    network_ = with_heads(network(Recurrent, recurrent=True), {"far": 2})
    variables = jax.jit(network_.init)(jax.random.key(1))
    step = jax.jit(network_.step)
    first, carry = step(variables, OBSERVATION, network_.initial_carry(BATCH))
    second, _ = step(variables, OBSERVATION, carry)
    sequences = Sequences(
        memory=both_seats(network_.initial_carry(BATCH)),
        seat=jnp.zeros((2, BATCH), jnp.int32),
        done=jnp.zeros((2, BATCH), bool),
    )
    outputs, _ = jax.jit(network_.train)(
        variables,
        jnp.stack([OBSERVATION, OBSERVATION]),
        rows=jnp.ones((2, BATCH), bool),
        sequences=sequences,
    )
    both = jnp.concatenate([first.auxiliary["far"], second.auxiliary["far"]])
    np.testing.assert_allclose(outputs.auxiliary["far"], both, atol=1e-6)


def test_without_widths_the_network_is_the_same(plain):
    assert with_heads(plain, {}) is plain


def test_a_model_that_does_not_tell_its_features_is_refused():
    with pytest.raises(UserError, match="needs a model that gives its features"):
        with_heads(network(tells=False), WIDTHS)
