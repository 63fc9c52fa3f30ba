"""Games that a rollout cuts: their rows against whole games, their values against counted ones."""

from pathlib import Path

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.advantages import per_seat_gae
from jaxpot.algorithms.base import Decision
from jaxpot.games import uniform_legal_action
from jaxpot.loop.collect import rollout
from jaxpot.loop.context import build_context
from jaxpot.loop.games import no_games
from jaxpot.models.base import Outputs, Variables
from jaxpot.spec import from_resolved
from tests.evaluators.stubs import Memoryless
from tests.games.bits import NUM_VIEWS, Bits, random_values
from tests.games.long_game import MOVES
from tests.loop.running import events, train
from tests.loop.running import rows as rows_of
from tests.marks import slow_except
from tests.tiny import tiny_experiment


class Table(Memoryless):
    """A value for each view; the policy is uniform."""

    def step(self, variables, observation, carry):
        value = variables.params[observation[:, 0]]
        return Outputs(jnp.zeros((len(value), 2)), value), carry


class RandomMoves:
    """Plays uniformly at random, and records the table's values."""

    off_policy = False
    seq_len = None

    def act(self, variables, view, key):
        action = uniform_legal_action(view.legal_action_mask, key)
        value = variables.params[view.observation[:, 0]]
        return Decision(action, {"value": value}, view.carry)

    act_as_opponent = act


def context_of(game, num_steps):
    experiment = tiny_experiment(
        overrides={
            "eval": None,
            "collect": {"num_steps": num_steps},
            "algorithm": {"batch_size": 8},
        }
    )
    built = build_context(experiment, Path())
    return attrs.evolve(built, env=game, network=Table(), algorithm=RandomMoves())


def advantages(rows, gamma=1.0, gae_lambda=0.5):
    return per_seat_gae(
        value=rows.extras["value"],
        reward=rows.reward,
        done=rows.done,
        seat=rows.seat,
        final_value=rows.final_value,
        bootstrap_mask=rows.bootstrap_mask,
        gamma=gamma,
        gae_lambda=gae_lambda,
    )


def converged(game, *, num_steps, start="carried", against=None, lanes=128, iterations=600):
    """Learns the values of random play from rollouts alone, moving each view's to its mean target.

    Returns the table, averaged over the second half, and how many rows each view had there.
    """
    context = context_of(game, num_steps)
    opponent = Variables(jnp.zeros(NUM_VIEWS)) if against == "network" else None
    options = {"num_envs": lanes, "random": against == "random", "opponent": opponent}

    @jax.jit
    def train(key):
        def learn(carry, key):
            table, games, t = carry
            played = rollout(
                context,
                key,
                Variables(table),
                games=games if start == "carried" else None,
                **options,
            )
            rows, found = played.rows, advantages(played.rows)
            counts = (rows.trained & found.known).astype(jnp.float32)
            view = rows.observation[..., 0]
            sums = jnp.zeros(NUM_VIEWS).at[view].add(counts * found.advantage)
            number = jnp.zeros(NUM_VIEWS).at[view].add(counts)
            rate = jnp.maximum(10.0 / (t + 10.0), 0.02)
            table = table + rate * sums / jnp.maximum(number, 1.0)
            late = t >= iterations / 2
            games = played.games if start == "carried" else games
            return (table, games, t + 1), (jnp.where(late, table, 0.0), jnp.where(late, number, 0))

        games = no_games(context, lanes, remembers=against == "network")
        begin = (jnp.zeros(NUM_VIEWS), games, jnp.float32(0))
        _, (tables, numbers) = jax.lax.scan(learn, begin, jax.random.split(key, iterations))
        return tables.sum(axis=0) / (iterations / 2), numbers.sum(axis=0)

    return jax.device_get(train(jax.random.key(0)))


GAMES = {
    "open": Bits(),
    "hidden": Bits(hidden=True),
    "open_general_sum": Bits(zero_sum=False),
    "hidden_general_sum": Bits(hidden=True, zero_sum=False),
}
CASES = [(game, 3, against) for game in GAMES for against in (None, "random", "network")]
CASES += [(game, steps, None) for game in ("open", "hidden") for steps in (5, 8)]
QUICK = [("open", 3, None), ("hidden", 3, "network")]


@pytest.mark.parametrize(("game", "num_steps", "against"), slow_except(CASES, *QUICK))
def test_values_of_random_play_converge_to_the_counted_ones_cut_or_not(game, num_steps, against):
    game = GAMES[game]
    table, number = converged(game, num_steps=num_steps, against=against)
    exact = random_values(game)
    assert (number[list(exact)] > 0).all(), "every view is trained on"
    wrong = {
        view: (table[view], value)
        for view, value in exact.items()
        if abs(table[view] - value) > 0.1
    }
    assert not wrong


def joined(rollouts):
    """Joins rollouts of the same lanes along their steps."""
    return jax.tree.map(lambda *x: np.concatenate(x), *rollouts)


def gae_of_whole_games(rows, num_steps, gae_lambda):
    """Walks whole games, iteration after iteration, as a person would, without a discount.

    The trace of a row ends with its iteration: what follows there is the value of the game's next
    position, which is the next row's, for the seat that moves there, else the negative of it.
    """
    steps, lanes = rows.seat.shape
    found = np.full((steps, lanes), np.nan)
    for lane in range(lanes):
        for t in range(steps - num_steps):
            me, total, weight, at, paid = rows.seat[t, lane], 0.0, 1.0, t, 0.0
            cut = (t // num_steps + 1) * num_steps
            for step in range(t, cut):
                paid += float(rows.reward[step, lane, me])
                ahead, goes_on = None, step + 1
                if rows.done[step, lane]:
                    ahead = 0.0
                elif goes_on == cut:
                    sign = 1.0 if rows.seat[goes_on, lane] == me else -1.0
                    ahead = sign * rows.extras["value"][goes_on, lane]
                elif rows.seat[goes_on, lane] == me:
                    ahead = float(rows.extras["value"][goes_on, lane])
                if ahead is None:
                    continue
                total += weight * (paid + ahead - rows.extras["value"][at, lane])
                weight, at, paid = weight * gae_lambda, goes_on, 0.0
                if rows.done[step, lane]:
                    break
            found[t, lane] = total
    return found[: steps - num_steps]


@pytest.mark.parametrize("num_steps", slow_except([1, 3, 7], 3))
def test_every_rows_target_is_that_of_whole_games(num_steps):
    context = context_of(Bits(), num_steps)
    variables = Variables(jax.random.normal(jax.random.key(4), NUM_VIEWS))
    games, rows = no_games(context, 6, remembers=False), []

    @jax.jit
    def run(key, games):
        played = rollout(context, key, variables, num_envs=6, games=games)
        return played, advantages(played.rows, gae_lambda=0.8)

    found = []
    for key in jax.random.split(jax.random.key(1), 24 // num_steps + 1):
        played, estimated = run(key, games)
        games = played.games
        found.append(jax.device_get(estimated))
        rows.append(jax.device_get(played.rows._replace(final_value=(), bootstrap_mask=())))
    whole, estimated = joined(rows), joined(found)
    expected = gae_of_whole_games(whole, num_steps, 0.8)
    np.testing.assert_allclose(estimated.advantage[: len(expected)], expected, atol=1e-5)
    assert estimated.known.all()


def long_game(tmp_path, **collect):
    experiment = from_resolved(
        {
            "name": "long",
            "iterations": 150,
            "env": {"kind": "tests.games.long_game:LongGame"},
            "model": {"kind": "mlp", "hidden_dims": [32]},
            "algorithm": {"kind": "ppo", "num_epochs": 2, "batch_size": 256, "gamma": 1.0},
            "optimizer": {"kind": "adam", "learning_rate": 3e-3},
            "collect": {"num_steps": 8, "selfplay": {"num_envs": 128}} | collect,
            "eval": {"vs_random": {"kind": "random", "every": 150, "num_games": 512}},
            "runtime": {"profile_every": 0},
        },
        import_user_code=True,
    )
    result = train(experiment, tmp_path)
    return result, rows_of(result)


@pytest.mark.slow
def test_a_game_of_forty_moves_is_learned_eight_steps_at_a_time(tmp_path):
    _, rows = long_game(tmp_path)
    # Returns lie within [-1, 1]: so do values, and half of a squared error is at most 2.
    assert max(row["value_loss"] for row in rows) < 2.0
    assert np.mean([row["value_loss"] for row in rows[-20:]]) < 0.25
    assert rows[-1]["eval_vs_random/win_rate"] > 0.95
    assert rows[-1]["num_episodes"] == 128 * (150 * 8 // MOVES)


@pytest.mark.slow
def test_games_that_never_end_within_an_iteration_are_spoken_of_once(tmp_path):
    result, rows = long_game(tmp_path, start="fresh")
    assert rows[-1]["num_episodes"] == 0
    (warning,) = events(result, "warning")
    assert "no game has ended in the last 5 iterations" in warning["text"]
    assert 'collect.start = "carried"' in warning["text"]


@pytest.mark.slow
@pytest.mark.parametrize("num_steps", [3, 4, 5, 6, 7, 8])
def test_tic_tac_toe_is_learned_in_rollouts_shorter_than_a_game(num_steps, tmp_path):
    iterations = 1200 // num_steps  # as many steps of play, however they are cut
    experiment = from_resolved(
        {
            "name": "cut",
            "iterations": iterations,
            "env": {"kind": "pgx", "id": "tic_tac_toe"},
            "model": {"kind": "mlp", "hidden_dims": [64]},
            "algorithm": {"kind": "ppo", "num_epochs": 4, "batch_size": 256, "entropy_coeff": 0.05},
            "optimizer": {"kind": "adam", "learning_rate": 3e-3},
            "collect": {
                "num_steps": num_steps,
                "selfplay": {"num_envs": 128},
                "random": {"num_envs": 128},
            },
            "eval": {"vs_random": {"kind": "random", "every": iterations, "num_games": 1024}},
            "runtime": {"profile_every": 0},
        }
    )
    rows = rows_of(train(experiment, tmp_path))
    # Values within [-1, 1] are at most 2 away from a return: half of a squared error is at most 2.
    assert max(row["value_loss"] for row in rows) < 2.0
    assert np.mean([row["value_loss"] for row in rows[-20:]]) < 0.2
    assert rows[-1]["eval_vs_random/lose_rate"] < 0.08
