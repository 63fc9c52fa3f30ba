import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot import spec
from jaxpot.evaluators import random_opponent
from jaxpot.games import pgx_env
from jaxpot.models.base import Variables
from jaxpot.testing import check_evaluator
from tests.evaluators.stubs import Memoryless
from tests.evaluators.tabular import TabularNetwork
from tests.games.nim import Nim

RATES = [
    f"{order}{name}"
    for order in ("", "p0/", "p1/")
    for name in ("win_rate", "lose_rate", "draw_rate", "avg_reward", "done_rate")
]


class Indifferent(Memoryless):
    """A network that prefers nothing."""

    def apply(self, variables, observation):
        del variables
        return jnp.zeros((len(observation), 9)), jnp.zeros(len(observation))


def build(env, network, *, num_games, greedy):
    config = spec.RandomEvaluator(every=1, num_games=num_games, greedy=greedy)
    return random_opponent.build(config, name="vs_random", env=env, network=network)


def test_an_indifferent_agent_wins_as_random_play_does():
    """Uniform tic-tac-toe: the first player wins 58.5 %, the second 28.8 %, and 12.7 % is drawn."""
    env = pgx_env.build(spec.PgxEnv(id="tic_tac_toe"))
    evaluator = build(env, Indifferent(), num_games=8192, greedy=False)
    with jax.debug_key_reuse(True):
        output = jax.jit(evaluator.run)(Variables({}), jax.random.key(0))
    first, second, drawn = 0.5849, 0.2881, 0.1270
    expected = {
        "p0/win_rate": first,
        "p0/lose_rate": second,
        "p0/draw_rate": drawn,
        "p0/avg_reward": first - second,
        "p1/win_rate": second,
        "p1/lose_rate": first,
        "p1/draw_rate": drawn,
        "p1/avg_reward": second - first,
        "win_rate": (first + second) / 2,
        "lose_rate": (first + second) / 2,
        "draw_rate": drawn,
        "avg_reward": 0.0,
    }
    # Four standard deviations of a rate over 4096 games, at most.
    for name, value in expected.items():
        assert output.metrics[name] == pytest.approx(value, abs=0.06 if "avg" in name else 0.032)
    assert output.metrics["done_rate"] == 1
    counts = np.asarray(output.histograms["actions"])
    # Random play takes 7.62 moves a game, half of them the agent's, and the centre no more often
    # than it is empty: the corners' four counts are alike, and so are the edges'.
    assert counts.shape == (9,)
    assert counts.sum() == pytest.approx(8192 * 7.624 / 2, rel=0.02)
    for alike in ((0, 2, 6, 8), (1, 3, 5, 7)):
        assert np.ptp(counts[list(alike)]) < 300


class TakesOne(Memoryless):
    """A network that likes to take one counter a little more than two, and two than three."""

    def apply(self, variables, observation):
        del variables
        return jnp.tile(jnp.array([[0.2, 0.1, 0.0]]), (len(observation), 1)), None


@pytest.mark.slow
def test_a_greedy_agent_never_samples():
    """A slight preference is always followed; a sampling agent follows it now and then."""
    histograms = {
        greedy: jax.jit(build(Nim(), TakesOne(), num_games=64, greedy=greedy).run)(
            Variables({}, {}), jax.random.key(0)
        ).histograms["actions"]
        for greedy in (True, False)
    }
    assert histograms[True][0] > 0
    assert histograms[True][1:].tolist() == [0, 0]
    assert (histograms[False] > 0).all()


@pytest.mark.parametrize("greedy", [True, False])
def test_keeps_the_evaluators_contract(greedy):
    network = TabularNetwork(num_actions=3, observation_size=1)
    evaluator = build(Nim(), network, num_games=4, greedy=greedy)
    check_evaluator(evaluator, network, metrics=RATES)
