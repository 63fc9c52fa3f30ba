"""PPO's parts put together: what is recorded, the targets by option, and the loss that is made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms import ppo
from jaxpot.algorithms.advantages import per_seat_gae, per_seat_return, per_seat_vtrace
from jaxpot.algorithms.base import Batch, View
from jaxpot.models.base import Variables
from jaxpot.spec import PPO, SGD, Linear
from tests.algorithms.auxiliary.rows import rows
from tests.algorithms.networks import Opinion

STEPS, LANES, ACTIONS = 6, 5, 3
AGENT = Variables(jnp.array([0.5, -1.0, 2.0]), jnp.float32(0.25))


def own(network=None, **options):
    config = PPO(**{"batch_size": LANES * STEPS} | options)
    optimizer = SGD(learning_rate=1e-30)
    return ppo.build(config, env=None, network=network or Opinion(), optimizer=optimizer)


def legal_masks():
    legal = np.ones((LANES, ACTIONS), bool)
    legal[::2, 2] = False
    return legal


@pytest.mark.parametrize("vtrace", [False, True])
def test_decisions_come_with_their_log_probabilities_and_values(vtrace):
    legal = legal_masks()
    view = View((), jnp.zeros((LANES, 1)), jnp.asarray(legal), ())
    decision = jax.jit(own(vtrace=vtrace).act)(AGENT, view, jax.random.key(0))
    odds = np.exp(np.asarray(AGENT.params, np.float64)) * legal
    expected = np.log(odds / odds.sum(axis=1, keepdims=True), where=legal, out=np.zeros(odds.shape))
    chosen = np.asarray(decision.action)
    assert legal[np.arange(LANES), chosen].all()
    np.testing.assert_allclose(
        decision.extras["log_prob"], expected[np.arange(LANES), chosen], rtol=1e-5
    )
    np.testing.assert_array_equal(decision.extras["value"], np.full(LANES, 0.25))
    assert ("log_probs" in decision.extras) == vtrace


def rollout(**more):
    draw = np.random.default_rng(0)
    shape = (STEPS, LANES)
    logits = draw.normal(size=(*shape, ACTIONS))
    log_probs = np.asarray(jax.nn.log_softmax(logits), np.float32)
    extras = {"value": draw.normal(size=shape).astype(np.float32), "log_probs": log_probs}
    given = rows(
        action=draw.integers(ACTIONS, size=shape, dtype=np.int32),
        seat=draw.integers(2, size=shape, dtype=np.int32),
        reward=draw.normal(size=(*shape, 2)).astype(np.float32),
        done=draw.random(shape) < 0.3,
        final_value=draw.normal(size=(LANES, 2)).astype(np.float32),
        bootstrap_mask=draw.random((LANES, 2)) < 0.7,
    )
    return given._replace(extras=jax.tree.map(jnp.asarray, extras), **more)


def shared(given):
    names = ("reward", "done", "seat", "final_value", "bootstrap_mask")
    return {"value": given.extras["value"]} | {name: getattr(given, name) for name in names}


def test_the_option_advantage_names_the_estimator():
    given = rollout(behaviour={})
    arguments = shared(given)
    gae = per_seat_gae(**arguments, gamma=0.9, gae_lambda=0.8)
    del arguments["final_value"], arguments["bootstrap_mask"]
    returns = per_seat_return(**arguments, gamma=0.9)
    for options, expected in (
        ({"gae_lambda": 0.8}, gae),
        ({"advantage": "per_seat_return", "gae_lambda": None}, returns),
    ):
        targets, known = jax.jit(own(gamma=0.9, **options).targets)(given)
        np.testing.assert_allclose(targets["advantage"], expected.advantage, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(targets["target"], expected.target, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(known, expected.known)
        assert set(targets) == {"advantage", "target"}


def test_vtrace_corrects_the_moves_that_the_agent_did_not_choose():
    draw = np.random.default_rng(1)
    acted = draw.random((STEPS, LANES)) < 0.5
    behaviour = {"acted": acted, "log_prob": -draw.random((STEPS, LANES)).astype(np.float32)}
    given = rollout(behaviour=jax.tree.map(jnp.asarray, behaviour))
    log_probs = np.asarray(given.extras["log_probs"])
    taken = np.take_along_axis(log_probs, np.asarray(given.action)[..., None], -1)[..., 0]
    log_ratio = jnp.asarray(np.where(acted, 0.0, taken - behaviour["log_prob"]), jnp.float32)
    expected = per_seat_vtrace(
        **shared(given), log_ratio=log_ratio, gamma=0.9, gae_lambda=0.8, rho_clip=1.0, c_clip=1.0
    )
    targets, _ = jax.jit(own(vtrace=True, gamma=0.9, gae_lambda=0.8).targets)(given)
    np.testing.assert_allclose(targets["log_prob"], taken, rtol=1e-6)
    np.testing.assert_allclose(targets["advantage"], expected.advantage, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(targets["target"], expected.target, rtol=1e-5, atol=1e-6)


class Learner(Opinion):
    """Opinion with a call for training; its value is part of the parameters."""

    def train(self, variables, observation, *, rows, key=None, sequences=None):
        params = variables.params
        value = params["value"] * jnp.ones(len(observation))
        outputs, _ = self.step(Variables(params["logits"], 0.0), observation, ())
        return outputs._replace(value=value), variables.model_state


def test_the_loss_is_the_weighted_sum_of_its_terms():
    """On the data of the policy itself nothing is clipped, and every term is arithmetic."""
    draw = np.random.default_rng(3)
    number, logits, value = 30, np.array([0.5, -1.0, 2.0]), 0.25
    policy = np.exp(logits) / np.exp(logits).sum()
    action = draw.integers(ACTIONS, size=number, dtype=np.int32)
    advantage, target = (draw.normal(size=number).astype(np.float32) for _ in range(2))
    batch = Batch(
        observation=jnp.zeros((number, 1)),
        legal_action_mask=jnp.ones((number, ACTIONS), bool),
        action=jnp.asarray(action),
        extras={
            "log_prob": jnp.log(policy)[action].astype(jnp.float32),
            "value": jnp.full(number, value),
        },
        targets={"advantage": jnp.asarray(advantage), "target": jnp.asarray(target)},
        valid=jnp.ones(number, bool),
    )
    schedule = Linear(init=0.2, end=0.0, iterations=10)
    algorithm = own(
        Learner(), num_epochs=1, entropy_coeff=schedule, value_coeff=0.5, kl_coeff=0.3,
        normalize_advantage=False, value_clip=False,
    )  # fmt: skip
    params = {"logits": jnp.float32(logits), "value": jnp.float32(value)}
    update = jax.jit(algorithm.update)
    keys = {"shuffle": jax.random.key(0)}
    variables, state = Variables(params), algorithm.init(params)
    learned = update(variables, state, batch, keys=keys, iteration=jnp.int32(5))
    expected = {
        "value_loss": 0.5 * 0.5 * np.mean((value - target) ** 2),
        "policy_loss": -np.mean(advantage),
        "entropy_loss": 0.1 * (policy * np.log(policy)).sum(),
        "kl_loss": 0.0,
    }
    expected["total_loss"] = sum(expected.values())
    expected |= {"clipfrac": 0.0, "entropy_coeff": 0.1}
    for name, number_ in expected.items():
        assert learned.metrics[name] == pytest.approx(number_, rel=1e-4, abs=1e-6), name
    # The learning rate is too small to change a float32.
    jax.tree.map(np.testing.assert_array_equal, learned.variables.params, params)
