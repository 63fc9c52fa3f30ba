"""AlphaZero's contract, what its values learn against plain Python, and how opponents act."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot import spec
from jaxpot.algorithms import alphazero
from jaxpot.algorithms.base import Rollout, View
from jaxpot.errors import UserError
from jaxpot.games import pgx_env
from jaxpot.models.base import Variables
from jaxpot.spec.configs.alphazero import alphazero_keys
from jaxpot.spec.registry import implementation
from jaxpot.testing import check_algorithm
from tests.algorithms.again import Again
from tests.algorithms.networks import Opinion
from tests.evaluators.stubs import Memoryless

ENV = pgx_env.build(spec.PgxEnv(id="tic_tac_toe"))
MODEL = spec.MLP(hidden_dims=(8,))
NETWORK = implementation(MODEL)(
    MODEL, observation_shape=ENV.observation_shape, num_actions=ENV.num_actions
)


def own(env=ENV, network=NETWORK, **changes):
    config = spec.AlphaZero(**{"num_simulations": 2, "batch_size": 16} | changes)
    return alphazero.build(
        config, env=env, network=network, optimizer=spec.AdamW(learning_rate=1e-2)
    )


@pytest.mark.slow
def test_keeps_the_algorithms_contract():
    algorithm = own(num_epochs=2)
    names = [key.name for key in alphazero_keys(algorithm.config, "")]
    check_algorithm(algorithm, NETWORK, env=ENV, metrics=names)


def test_a_game_or_a_network_that_cannot_be_searched_is_refused():
    with pytest.raises(UserError, match=r"alphazero: .*hides"):
        own(env=pgx_env.build(spec.PgxEnv(id="kuhn_poker")))
    recurrent = Memoryless()
    recurrent.recurrent = True
    with pytest.raises(UserError, match=r"alphazero: .*memory"):
        own(network=recurrent)


STEPS, LANES = 11, 6


@pytest.fixture(scope="module")
def rollout():
    """Rows of games in which the turn goes any way, seats repeat, and the last are cut."""
    rng = np.random.default_rng(4)
    shape = (STEPS, LANES)
    done = rng.random(shape) < 0.2
    done[:, 0], done[-1, 1] = False, True  # a game that never ends, one that ends with the cut
    won = rng.choice([-1.0, 1.0], shape) * (done | (rng.random(shape) < 0.3))
    nothing = np.zeros(shape, np.int32)
    return Rollout(
        observation=nothing,
        legal_action_mask=np.ones((*shape, 2), bool),
        action=nothing,
        seat=rng.integers(0, 2, shape).astype(np.int32),
        trained=np.ones(shape, bool),
        reward=np.stack([won, -won], axis=-1).astype(np.float32),
        done=done,
        length=nothing,
        trained_seats=nothing + 2,
        extras={"value": rng.normal(size=shape).astype(np.float32)},
        final_value=rng.normal(size=(LANES, 2)).astype(np.float32),
        bootstrap_mask=np.array([[True, False]] * LANES),
    )


def own_rows(rollout, t, lane, *, gamma=1.0):
    """Lists a seat's decisions from step `t` on: each with what it earns until its next one.

    Each reward is discounted by the steps, of either seat, from `t` to its own.

    Returns the decisions, and whether the game ended after the last of them.
    """
    seat, decisions = rollout.seat[t, lane], []
    for later in range(t, STEPS):
        if rollout.seat[later, lane] == seat:
            decisions.append([later, 0.0])
        decisions[-1][1] += gamma ** (later - t) * float(rollout.reward[later, lane, seat])
        if rollout.done[later, lane]:
            return decisions, True
    return decisions, False


def plain_outcome(rollout, t, lane):
    decisions, ended = own_rows(rollout, t, lane)
    return sum(paid for _, paid in decisions), ended


def plain_n_step(rollout, t, lane, *, steps, gamma):
    """Adds up `steps` decisions' rewards, and goes on with a value where there are more."""
    decisions, ended = own_rows(rollout, t, lane, gamma=gamma)
    seat = rollout.seat[t, lane]
    if len(decisions) > 1 and blind(rollout, lane, seat, ended):
        steps = min(steps, len(decisions) - 1)
    total = sum(paid for _, paid in decisions[:steps])
    if len(decisions) > steps:
        there = decisions[steps][0]
        return total + gamma ** (there - t) * rollout.extras["value"][there, lane], True
    if ended:
        return total, True
    bootstrap = gamma ** (STEPS - t) * rollout.final_value[lane, seat]
    return total + bootstrap, bool(rollout.bootstrap_mask[lane, seat])


def blind(rollout, lane, seat, ended):
    """Says whether a cut leaves the seat nothing to go on with but its last decision's value."""
    return not ended and not rollout.bootstrap_mask[lane, seat]


def plain_lambda(rollout, t, lane, *, mix, gamma):
    """Mixes the returns of every number of steps (Sutton and Barto 2018, equation 12.3)."""
    decisions, ended = own_rows(rollout, t, lane)
    last = len(decisions)
    if last > 1 and blind(rollout, lane, rollout.seat[t, lane], ended):
        last -= 1
    returns = [
        plain_n_step(rollout, t, lane, steps=steps, gamma=gamma) for steps in range(1, last + 1)
    ]
    weighted = sum((1 - mix) * mix**k * value for k, (value, _) in enumerate(returns[:-1]))
    return weighted + mix ** (last - 1) * returns[-1][0], returns[-1][1]


@pytest.mark.parametrize(
    ("changes", "plain", "options"),
    [
        ({"value_target": "outcome", "gamma": 0.5}, plain_outcome, {}),
        (
            {"value_target": "n_step", "n_step": 2, "gamma": 0.5},
            plain_n_step,
            {"steps": 2, "gamma": 0.5},
        ),
        (
            {"value_target": "lambda", "td_lambda": 0.25, "gamma": 0.5},
            plain_lambda,
            {"mix": 0.25, "gamma": 0.5},
        ),
    ],
)
def test_what_values_learn(rollout, changes, plain, options):
    """Each seat's own decisions alone, by a plain loop; unfinished games have no outcome."""
    targets, trained = jax.device_get(own(**changes).targets(rollout))
    assert trained.all()
    known = targets["target_known"]
    for t in range(STEPS):
        for lane in range(LANES):
            value, has_one = plain(rollout, t, lane, **options)
            assert bool(known[t, lane]) == has_one
            if has_one:
                assert targets["target"][t, lane] == pytest.approx(value, abs=1e-5)
    assert 0 < known.sum() < known.size


def test_an_outcome_in_two_parts_is_that_of_the_whole(rollout):
    """What a seat is paid after a cut, up to its game's end, is added to what it had before."""
    algorithm, cut = own(value_target="outcome"), 5
    whole, _ = jax.device_get(algorithm.targets(rollout))
    first, _ = algorithm.targets(
        rollout._replace(
            reward=rollout.reward[:cut], done=rollout.done[:cut], seat=rollout.seat[:cut],
            extras={"value": rollout.extras["value"][:cut]},
        )
    )  # fmt: skip
    paid, ended = np.zeros((cut, LANES), np.float32), np.zeros((cut, LANES), bool)
    for t in range(cut):
        for lane in range(LANES):
            if not rollout.done[t:cut, lane].any():
                ends = np.flatnonzero(rollout.done[cut:, lane])
                ended[t, lane] = bool(ends.size)
                last = cut + (ends[0] + 1 if ends.size else STEPS)
                paid[t, lane] = rollout.reward[cut:last, lane, rollout.seat[t, lane]].sum()
    settled = jax.device_get(jax.jit(algorithm.settle)(first, paid, ended))
    assert ended.any()
    assert paid.any()
    for name, expected in whole.items():
        np.testing.assert_array_equal(settled[name], expected[:cut])


@pytest.mark.parametrize("target", ["n_step", "lambda"])
def test_targets_that_rest_on_searches_are_not_settled_later(target):
    assert own(value_target=target).settle is None


@pytest.mark.parametrize(("acting", "drawn"), [("network", {0, 1}), ("search", {0})])
def test_opponents_act_as_they_are_told(acting, drawn):
    """Of three counters a search takes one and moves again; a network without opinions draws."""
    algorithm = own(
        env=Again(), network=Opinion(), opponent_acting=acting, num_simulations=4, gumbel_scale=0.0
    )
    state = jax.tree.map(lambda x: jnp.stack([x] * 32), Again().init(jax.random.key(0)))
    state = dataclasses.replace(state, heap=jnp.full(32, 3))
    view = View(
        state=state,
        observation=state.heap[:, None],
        legal_action_mask=jnp.ones((32, 2), bool),
        carry=(),
    )
    act = jax.jit(algorithm.act_as_opponent)
    decision = act(Variables(jnp.zeros(2), jnp.float32(0)), view, jax.random.key(0))
    assert set(decision.action.tolist()) == drawn
    assert decision.extras == {}
