"""Every kind of model keeps the contract of a network; what its options change, and what not."""

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.models.base import Sequences
from jaxpot.models.memory import both_seats
from jaxpot.spec import AZNet
from jaxpot.spec.configs.models import is_recurrent
from jaxpot.spec.registry import MODELS, part_streams
from jaxpot.testing import check_network
from tests.marks import slow_except
from tests.models.tiny import AZ_NET, GRU, PLAIN, SHAPE, TINY, TRANSFORMER, WITH_LSTM, build, kind

BATCH = 5
FAST = [config for config in TINY if kind(config) in ("mlp", "mlp-lstm", "resnet", "transformer")]


def test_every_kind_is_here():
    assert {row.config for row in MODELS.rows} == {type(config) for config in TINY}


@pytest.mark.parametrize(
    "config",
    slow_except([*TINY, attrs.evolve(AZ_NET, version="v1")], *FAST),
    ids=kind,
)
def test_contract(config):
    network = build(config)
    assert network.recurrent == is_recurrent(config)
    assert part_streams(config) == ()
    check_network(network)


@pytest.mark.parametrize("config", WITH_LSTM, ids=kind)
def test_any_network_takes_a_memory_between_trunk_and_heads(config):
    network = build(config)
    variables = jax.eval_shape(network.init, jax.random.key(0))
    params = variables.params
    assert set(params) == {"encoder", "memory", "policy", "value"}
    assert bool(variables.model_state) == isinstance(config, AZNet)
    assert params["policy"]["kernel"].shape == (config.memory.hidden_size, network.num_actions)


# Every module of layers, and every way to the heads, once.
EACH = (PLAIN[0], PLAIN[2], AZ_NET, GRU, WITH_LSTM[3], attrs.evolve(TRANSFORMER, memory=GRU.memory))


@pytest.fixture(scope="module", params=EACH, ids=kind)
def evaluated(request):
    """Evaluates a model as it is, and with half precision, a tanh and dropout."""
    plain = build(attrs.evolve(request.param, value_head="plain"))
    options = attrs.evolve(request.param, value_head="tanh", dtype="bfloat16", dropout=0.5)
    assert part_streams(options) == ("dropout",)
    network = build(options)
    variables = network.init(jax.random.key(0))
    observation = np.random.default_rng(0).random((BATCH, *SHAPE)).astype(np.float32)
    carry = network.initial_carry(BATCH)
    sequences = seen = None
    if network.recurrent:
        zeros = np.zeros((1, BATCH))
        sequences = Sequences(both_seats(carry), zeros.astype(np.int32), zeros.astype(bool))
        seen = observation[None]
    seen = observation if seen is None else seen
    rows = jnp.ones(seen.shape[: 1 + network.recurrent], bool)

    @jax.jit
    def evaluate(keys):
        def train(key):
            return network.train(variables, seen, rows=rows, key=key, sequences=sequences)

        steps = [each.step(variables, observation, carry) for each in (plain, network)]
        return steps, jax.vmap(train)(keys)

    key = jax.random.key(1)
    steps, trained = evaluate(jnp.stack([key, key, jax.random.fold_in(key, 1)]))
    return variables.params, plain.init(jax.random.key(0)).params, *steps, trained[0]


def test_half_precision_is_the_trunk_s_alone(evaluated):
    params, plain_params, (plain, _), (half, carry), _ = evaluated
    for mine, theirs in zip(jax.tree.leaves(params), jax.tree.leaves(plain_params), strict=True):
        assert mine.dtype == jnp.float32
        np.testing.assert_array_equal(mine, theirs)
    assert {leaf.dtype for leaf in jax.tree.leaves((half, carry))} == {np.dtype("float32")}
    np.testing.assert_allclose(half.logits, plain.logits, atol=2e-3)
    np.testing.assert_allclose(half.features, plain.features, atol=5e-2, rtol=5e-2)
    assert np.any(half.features != plain.features)


def test_the_value_is_bounded_by_a_tanh(evaluated):
    _, _, (plain, _), (half, _), _ = evaluated
    np.testing.assert_allclose(half.value, np.tanh(plain.value), atol=5e-2)


def test_dropout_follows_its_key_in_training_alone(evaluated):
    *_, (half, _), trained = evaluated
    for leaf in (trained.logits, trained.value):
        np.testing.assert_allclose(leaf[0], leaf[1], atol=1e-6)
        assert not np.allclose(leaf[0], leaf[2], atol=1e-4)
    zeroed = np.mean(np.asarray(trained.features) == 0) - np.mean(np.asarray(half.features) == 0)
    assert zeroed > 0.1


def test_az_net_s_value_is_a_tanh_by_default():
    assert AZNet().value_head == "tanh"
