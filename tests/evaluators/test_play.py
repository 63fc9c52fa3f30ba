import dataclasses
import math
from typing import Any

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pyspiel
import pytest

from jaxpot import spec
from jaxpot.evaluators import Games, play_games, rates
from jaxpot.evaluators.play import outcomes
from jaxpot.evaluators.players import uniform_player
from jaxpot.evaluators.random_opponent import build
from jaxpot.games import pgx_env
from tests.evaluators.boards import observation
from tests.evaluators.tabular import TabularNetwork, greedy_action
from tests.games.nim import Nim
from tests.marks import slow_except

LANES = 32


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Recorded:
    """A state that remembers how it was dealt and every action since."""

    now: Any
    dealt: Any
    actions: Any
    length: Any

    current_player = property(lambda self: self.now.current_player)
    legal_action_mask = property(lambda self: self.now.legal_action_mask)
    rewards = property(lambda self: self.now.rewards)
    terminated = property(lambda self: self.now.terminated)


class Recording:
    """Any game, with a memory: what was played is read back from the final states."""

    def __init__(self, env):
        self._env = env

    def __getattr__(self, name):
        return getattr(self._env, name)

    def init(self, key):
        state = self._env.init(key)
        return Recorded(state, state, jnp.zeros(self.max_steps, jnp.int32), jnp.int32(0))

    def step(self, state, action, key):
        return Recorded(
            now=self._env.step(state.now, action, key),
            dealt=state.dealt,
            actions=state.actions.at[state.length].set(action),
            length=state.length + 1,
        )

    def observe(self, state, player):
        return self._env.observe(state.now, player)


def make(game_id):
    return pgx_env.build(spec.PgxEnv(id=game_id))


def recorded(play):
    """Runs `play(key)` with every key of it checked for a second use."""
    with jax.debug_key_reuse(True):
        return jax.device_get(jax.jit(play)(jax.random.key(0)))


def random_games(env):
    env = Recording(env)
    return recorded(
        lambda key: play_games(env, uniform_player(), uniform_player(), key, num_games=LANES)
    )


def lanes_of(games):
    for lane in range(LANES):
        state = jax.tree.map(lambda leaf, lane=lane: leaf[lane], games.state)
        yield lane, state, state.actions[: state.length].tolist()


@pytest.mark.parametrize("game_id", slow_except(["tic_tac_toe", "connect_four"], "tic_tac_toe"))
def test_games_replay_in_openspiel(game_id):
    """Every game, replayed: the agent's moves are its policy's, and the results agree."""
    env = make(game_id)
    size = math.prod(env.observation_shape)
    network = TabularNetwork(num_actions=env.num_actions, observation_size=size)
    variables = network.init(jax.random.key(5))
    config = spec.RandomEvaluator(every=1, num_games=LANES, greedy=True)
    evaluator = build(config, name="vs_random", env=Recording(env), network=network)
    games = recorded(lambda key: evaluator.play(variables, key))
    results, chosen, random_moves = [], np.zeros(env.num_actions, int), set()
    for lane, _, actions in lanes_of(games):
        agent = 0 if lane < LANES // 2 else 1
        replay = pyspiel.load_game(game_id).new_initial_state()
        for action in actions:
            assert action in replay.legal_actions()
            if replay.current_player() == agent:
                seen = observation(game_id, replay)
                assert action == greedy_action(variables.params, seen, replay.legal_actions())
                chosen[action] += 1
            else:
                random_moves.add((replay.move_number(), action))
            replay.apply_action(action)
        assert replay.is_terminal()
        results.append(replay.player_return(agent))
    np.testing.assert_array_equal(games.returns, results)
    np.testing.assert_array_equal(games.action_counts, chosen)
    assert games.agent_first.tolist() == [True] * (LANES // 2) + [False] * (LANES // 2)
    assert len(random_moves) > env.num_actions
    assert_rates(rates(games), results)


def assert_rates(given, results):
    results = np.array(results)
    for prefix, part in (
        ("", results),
        ("p0/", results[: LANES // 2]),
        ("p1/", results[LANES // 2 :]),
    ):
        expected = {
            "win_rate": np.mean(part > 0),
            "lose_rate": np.mean(part < 0),
            "draw_rate": np.mean(part == 0),
            "avg_reward": np.mean(part),
            "done_rate": 1.0,
        }
        for name, value in expected.items():
            np.testing.assert_allclose(given[f"{prefix}{name}"], value, rtol=1e-6)


def test_card_games_replay_in_openspiel():
    """Kuhn poker: dealt by pgx, played by two random players, and paid as OpenSpiel pays."""
    games = random_games(make("kuhn_poker"))
    results, firsts = [], set()
    for lane, state, actions in lanes_of(games):
        first = int(state.dealt.current_player)
        firsts.add(first)
        replay = pyspiel.load_game("kuhn_poker").new_initial_state()
        for player in (first, 1 - first):
            replay.apply_action(int(state.dealt.inner._cards[player]))
        for action in actions:
            replay.apply_action(1 - action)  # pgx: 0 bets; OpenSpiel: 1 bets
        assert replay.is_terminal()
        results.append(replay.player_return(0 if lane < LANES // 2 else 1))
    assert firsts == {0, 1}
    np.testing.assert_array_equal(games.returns, results)
    assert_rates(rates(games), results)


def test_games_of_uneven_turns_are_played_to_the_end():
    """A player who moves again after taking one counter: lanes wait for one another."""

    class Again(Nim):
        def step(self, state, action, key):
            after = super().step(state, action, key)
            again = ~after.terminated & (action == 0)
            mover = jnp.where(again, state.current_player, after.current_player)
            return dataclasses.replace(after, current_player=mover)

    games = random_games(Again(heap=9))
    counts, results = np.zeros(3, int), []
    for lane, _, actions in lanes_of(games):
        agent, mover, left = 0 if lane < LANES // 2 else 1, 0, 9
        for action in actions:
            counts[action] += mover == agent
            left -= action + 1
            if left:
                mover = mover if action == 0 else 1 - mover
        assert left == 0
        results.append(1 if mover == agent else -1)
    np.testing.assert_array_equal(games.returns, results)
    np.testing.assert_array_equal(games.action_counts, counts)


def test_rewards_on_the_way_are_added_up():
    class Paid(Nim):
        def step(self, state, action, key):
            after = super().step(state, action, key)
            paid = jnp.where(jnp.arange(2) == state.current_player, action + 1, 0)
            return dataclasses.replace(after, rewards=paid.astype(jnp.float32))

    games = random_games(Paid(zero_sum=False))
    for lane, _, actions in lanes_of(games):
        mine = actions[0 if lane < LANES // 2 else 1 :: 2]
        assert games.returns[lane] == sum(mine) + len(mine)


@pytest.mark.parametrize(("max_steps", "done"), [(9, 1.0), (5, None), (4, 0.0)])
def test_a_capped_game_is_not_finished(max_steps, done):
    """Tic-tac-toe cut short: five moves finish a few games, four none."""
    env = attrs.evolve(make("tic_tac_toe"), max_steps=max_steps)
    games = random_games(env)
    given = {name: float(rate) for name, rate in rates(games).items()}
    assert (games.state.length <= max_steps).all()
    finished = games.state.length[games.finished]
    if done is None:
        assert 0 < given["done_rate"] < 1
        assert given["p0/win_rate"] == 1  # no other player can have three in a row after five moves
        assert set(finished.tolist()) == {5}
        done = games.finished.mean()
    assert given["done_rate"] == pytest.approx(done)
    over = [name for name in given if not name.endswith("done_rate")]
    assert all(math.isnan(given[name]) for name in over) == (done == 0)


GAMES = Games(
    agent_first=jnp.array([True, True, True, False, False, False]),
    finished=jnp.array([True, True, False, True, False, False]),
    returns=jnp.array([2.0, 0.0, -5.0, -3.0, 9.0, 0.0]),
    action_counts=jnp.zeros(1, jnp.int32),
    state=None,
)


def test_outcomes_are_those_of_finished_games():
    assert [float(count) for count in outcomes(GAMES)] == [1, 1, 1]


def test_lanes_without_a_game_count_for_nothing():
    played = jnp.array([True, True, False, True, True, False])
    kept = GAMES._replace(
        agent_first=GAMES.agent_first[played],
        finished=GAMES.finished[played],
        returns=GAMES.returns[played],
    )
    given, expected = rates(GAMES, played=played), rates(kept)
    assert {name: float(x) for name, x in given.items()} == {
        n: float(x) for n, x in expected.items()
    }
    assert float(given["done_rate"]) == 0.75


def test_rates_are_over_finished_games():
    given = {name: round(float(rate), 4) for name, rate in rates(GAMES).items()}
    assert given == {
        "win_rate": 0.3333,
        "lose_rate": 0.3333,
        "draw_rate": 0.3333,
        "avg_reward": -0.3333,
        "done_rate": 0.5,
        "p0/win_rate": 0.5,
        "p0/lose_rate": 0.0,
        "p0/draw_rate": 0.5,
        "p0/avg_reward": 1.0,
        "p0/done_rate": 0.6667,
        "p1/win_rate": 0.0,
        "p1/lose_rate": 1.0,
        "p1/draw_rate": 0.0,
        "p1/avg_reward": -3.0,
        "p1/done_rate": 0.3333,
    }
