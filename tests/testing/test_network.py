"""The contract test of a network: each breach is found and named."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from jaxpot.models.base import from_module
from jaxpot.testing import ContractError, check_network


class Sound(nnx.Module):
    """A linear network; the others break one rule each."""

    def __init__(self, rngs):
        self.policy = nnx.Linear(4, 3, rngs=rngs)
        self.value = nnx.Linear(4, 1, rngs=rngs)

    def __call__(self, x):
        return self.policy(x), self.value(x)[:, 0]


class Mixing(Sound):
    def __call__(self, x):
        return super().__call__(x - x.mean(axis=0, keepdims=True))


class Idle(Sound):
    def __init__(self, rngs):
        super().__init__(rngs)
        self.unused = nnx.Param(jnp.ones(2))


class Other(Sound):
    def __call__(self, x, training=None):
        return super().__call__(x if training is None else 2 * x)


class Counting(Sound):
    """Takes statistics of rows that do not count."""

    def __init__(self, rngs):
        super().__init__(rngs)
        self.mean = nnx.BatchStat(jnp.zeros(4))

    def __call__(self, x, training=None):
        if training is not None:
            self.mean[...] = x.mean(axis=0)
        return super().__call__(x)


class Fixed(Counting):
    """Keeps a constant as a variable."""

    def __call__(self, x, training=None):
        return Sound.__call__(self, x)


class Remembering(Sound):
    """Carries the sum of what it saw."""

    dtype = jnp.float32

    def initial_carry(self, batch):
        return jnp.zeros((batch, 4), self.dtype)

    def encode(self, x):
        return x

    def cell(self, carry, x):
        carry = carry + x
        return carry, carry

    def heads(self, y):
        return super().__call__(y)


class Whole(Remembering):
    """Carries integers."""

    dtype = jnp.int32

    def cell(self, carry, x):
        carry = carry + x.astype(jnp.int32)
        return carry, carry.astype(jnp.float32)


class Positional(Remembering):
    """Looks at a step's place in the batch, which differs between play and training."""

    def heads(self, y):
        return super().heads(y + (jnp.arange(y.shape[0]) > 4).astype(jnp.float32)[:, None])


def check(module, **options):
    check_network(from_module(module, observation_shape=(4,), num_actions=3, **options))


def test_what_is_sound_is_left_alone():
    check(Sound)
    check(Remembering, recurrent=True)


@pytest.mark.parametrize(
    ("module", "options", "fault"),
    [
        (Mixing, {}, "lets the rows of a batch influence each other"),
        (Idle, {}, "params['unused'] never gets a gradient"),
        (Other, {"trains": True}, "computes something else in training than in play"),
        (Counting, {"trains": True}, "lets rows that are not valid change the model state"),
        (Fixed, {"trains": True}, "has variables that training never changes"),
        (Whole, {"recurrent": True}, "the initial carry is int32[5, 4]; expected float32"),
        (Positional, {"recurrent": True}, "computes something else in training than in play"),
    ],
)
def test_a_breach_is_named(module, options, fault):
    with pytest.raises(ContractError) as error:
        check(module, **options)
    assert [found for found in error.value.faults if found.startswith(fault)]
    assert len(error.value.faults) == 1


def test_parameters_come_from_the_key_alone():
    class Constant(Sound):
        def __init__(self, rngs):
            super().__init__(nnx.Rngs(jax.random.key(0)))

    with pytest.raises(ContractError, match="same parameters for every key"):
        check(Constant)
