"""Rollouts: replayed with pgx and OpenSpiel, keyed as documented, cut as the design says."""

import functools
import operator
from pathlib import Path

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pyspiel
import pytest

from jaxpot.games import uniform_legal_action
from jaxpot.loop.collect import rollout, rollout_groups
from jaxpot.loop.context import build_context
from jaxpot.loop.games import go_on, new_games, no_games
from tests.tiny import tiny_experiment

LANES, STEPS = 6, 14
GROUPS = 3


@pytest.fixture(scope="module")
def context():
    return build(STEPS)


def build(num_steps):
    changes = {"collect": {"num_steps": num_steps}, "algorithm": {"batch_size": 16}}
    return build_context(tiny_experiment(overrides=changes), Path())


def play(context, key=0, **options):
    variables = context.network.init(jax.random.key(9))

    @jax.jit
    def run(key):
        return rollout(context, key, variables, num_envs=LANES, **options)

    rows, result, _ = run(jax.random.key(key))
    return jax.device_get(rows), jax.device_get(result), variables


@pytest.mark.parametrize("random", [False, True], ids=["selfplay", "random"])
def test_every_lane_replays_in_openspiel(context, random):
    rows, result, *_ = play(context, random=random)
    agents_return, games = replay(rows, range(LANES), against=random)
    assert result.games == games > LANES
    if random:
        assert result.reward == agents_return


def replay(rows, lanes, *, against):
    """Replays lanes in OpenSpiel; returns the agent's rewards and the finished games.

    Against an opponent, the agent must move first in the first half of them and only there.
    """
    agents_return, games = 0.0, 0
    for i, lane in enumerate(lanes):
        state = pyspiel.load_game("tic_tac_toe").new_initial_state()
        order, mine = [], []
        for t in range(len(rows.seat)):
            seat = int(rows.seat[t, lane])
            order = order or [seat, 1 - seat]
            assert order[state.current_player()] == seat
            legal = np.flatnonzero(rows.legal_action_mask[t, lane])
            assert sorted(state.legal_actions()) == legal.tolist()
            board = np.asarray(state.observation_tensor()).reshape(3, 3, 3)
            own, other = (2, 1) if state.current_player() == 0 else (1, 2)
            np.testing.assert_array_equal(
                rows.observation[t, lane], np.stack([board[own], board[other]], -1)
            )
            if rows.trained[t, lane]:
                mine.append(seat)
            state.apply_action(int(rows.action[t, lane]))
            assert state.is_terminal() == rows.done[t, lane]
            returns = state.returns() if state.is_terminal() else [0.0, 0.0]
            assert [rows.reward[t, lane, order[i]] for i in (0, 1)] == returns
            if state.is_terminal():
                if against:
                    assert len(set(mine)) == 1, "the agent holds one seat a game"
                    agents_return += rows.reward[t, lane, mine[0]]
                    first = mine[0] == order[0]
                    assert first == (i < len(lanes) // 2), "first in half of the lanes"
                games += 1
                state, order, mine = state.get_game().new_initial_state(), [], []
    return agents_return, games


def test_the_agents_rows_hold_its_own_probabilities_and_values(context):
    rows, _, variables = play(context, random=True)
    flat = rows.observation.reshape(-1, *rows.observation.shape[2:])
    logits, value = context.network.apply(variables, flat)
    legal = rows.legal_action_mask.reshape(flat.shape[0], -1)
    log_probs = jax.nn.log_softmax(jnp.where(legal, logits, -jnp.inf))
    taken = np.take_along_axis(np.asarray(log_probs), rows.action.reshape(-1, 1), 1)[:, 0]
    mine = rows.trained.reshape(-1)
    recorded = rows.extras["log_prob"].reshape(-1)
    np.testing.assert_allclose(recorded[mine], taken[mine], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(rows.extras["value"].reshape(-1), value, rtol=1e-4, atol=1e-5)
    assert rows.trained.sum() < rows.trained.size


@pytest.fixture(scope="module")
def short():
    return build(3)


def value_at_the_cut(context, rows, variables, lane):
    """Returns who is to move after three plies, and the network's value of what it sees."""
    board = rows.observation[2, lane].astype(np.float32)
    board[(*np.unravel_index(rows.action[2, lane], (3, 3)), 0)] = 1.0
    seen = jnp.asarray(board[..., ::-1])[None]
    return 1 - int(rows.seat[2, lane]), context.network.apply(variables, seen)[1][0]


def test_the_mover_has_its_own_value_at_the_cut_and_the_other_seat_its_negative(short):
    rows, _, variables = play(short)
    for lane in range(LANES):
        mover, value = value_at_the_cut(short, rows, variables, lane)
        expected = [value, -value] if mover == 0 else [-value, value]
        np.testing.assert_allclose(rows.final_value[lane], expected, rtol=1e-4, atol=1e-5)
    assert rows.bootstrap_mask.all()


class _Other:
    """A game of which a fact is otherwise."""

    def __init__(self, env, **facts):
        self._env = env
        self.__dict__.update(facts)

    def __getattr__(self, name):
        return getattr(self._env, name)


@pytest.mark.parametrize("fact", ["zero_sum", "perfect_information"])
def test_without_it_the_seat_that_waits_has_no_value_at_the_cut(short, fact):
    rows, *_ = play(attrs.evolve(short, env=_Other(short.env, **{fact: False})))
    mover = 1 - rows.seat[2]
    np.testing.assert_array_equal(rows.bootstrap_mask, mover[:, None] == np.arange(2))
    # Its last row waits in vain; the one before it rests on that one's value.
    _, known = jax.device_get(short.algorithm.targets(jax.tree.map(jnp.asarray, rows)))
    np.testing.assert_array_equal(known, [[True] * LANES, [True] * LANES, [False] * LANES])


def test_against_an_opponent_the_agent_has_a_value_only_where_it_is_to_move(short):
    rows, *_ = play(short, random=True)
    # Three plies in, who moved second is to move: the agent in the second half of the lanes.
    agents = np.where(rows.trained[2], rows.seat[2], 1 - rows.seat[2])
    moves = np.arange(LANES) >= LANES // 2
    np.testing.assert_array_equal(
        rows.bootstrap_mask, (agents[:, None] == np.arange(2)) & moves[:, None]
    )


def test_carried_lanes_go_on_with_their_games(context):
    """Two rollouts of carried lanes are, move for move, lanes of games in OpenSpiel."""
    variables = context.network.init(jax.random.key(9))

    @jax.jit
    def run(key, games):
        return rollout(context, key, variables, num_envs=LANES, random=True, games=games)

    games, rows, returns, ended = no_games(context, LANES, remembers=False), [], 0.0, 0
    for key in jax.random.split(jax.random.key(2), 3):
        played = run(key, games)
        games = played.games
        rows.append(jax.device_get(played.rows))
        returns += float(played.result.reward)
        ended += int(played.result.games)
    joined = jax.tree.map(lambda *x: np.concatenate(x), *rows)
    assert not joined.done[STEPS - 1].all(), "a game goes on across the cut"
    counted = np.zeros(LANES, int)
    for t in range(3 * STEPS):
        np.testing.assert_array_equal(joined.length[t], counted)
        counted = np.where(joined.done[t], 0, counted + 1)
    assert replay(joined, range(LANES), against=True) == (returns, ended)


def test_a_lane_begins_anew_only_where_its_opponent_is_another(context):
    keys = jax.random.split(jax.random.key(0), LANES)
    opponent = jnp.arange(LANES, dtype=jnp.int32)
    dealt = new_games(context, keys, opponent, remembers=False)
    length = jnp.full(LANES, 4, jnp.int32)
    carried = dealt._replace(length=length, opponent=opponent.at[2].set(7))
    found = go_on(carried, dealt)
    assert found.length.tolist() == [4, 4, 0, 4, 4, 4]
    np.testing.assert_array_equal(found.opponent, opponent)
    # Before the first iteration every lane does.
    before = no_games(context, LANES, remembers=False)
    jax.tree.map(np.testing.assert_array_equal, go_on(before, dealt), dealt)


def test_the_keys_below_a_collectors_key_are_the_documented_ones(context):
    rows, *_ = play(context, key=5, random=True)
    env = context.env
    reset_key, play_key = jax.random.split(jax.random.key(5))
    first = jax.vmap(env.init)(jax.random.split(reset_key, LANES))
    np.testing.assert_array_equal(first.current_player, rows.seat[0])
    for t, key in enumerate(jax.random.split(play_key, STEPS)):
        _, opponent_key, env_key = jax.random.split(key, 3)
        legal = jnp.asarray(rows.legal_action_mask[t])
        theirs = np.asarray(uniform_legal_action(legal, opponent_key))
        np.testing.assert_array_equal(rows.action[t][~rows.trained[t]], theirs[~rows.trained[t]])
        resets = jax.vmap(lambda k: jax.random.split(k)[1])(jax.random.split(env_key, LANES))
        dealt = jax.vmap(env.init)(resets).current_player
        ended = rows.done[t]
        if t + 1 < STEPS:
            np.testing.assert_array_equal(rows.seat[t + 1][ended], dealt[ended])


def test_draws_are_pinned(context, snapshot):
    rows, *_ = play(context, key=1, random=True)
    opponents_action = np.where(rows.trained, -1, rows.action)
    assert {"seat": rows.seat[0].tolist(), "opponent": opponents_action[:4].tolist()} == snapshot


@pytest.fixture(scope="module")
def grouped(context):
    """A rollout of groups, and each group's played on its own under the documented key."""
    agent, *opponents = (context.network.init(jax.random.key(n)) for n in range(GROUPS + 1))

    @jax.jit
    def together(key):
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *opponents)
        return rollout_groups(
            context,
            key,
            agent,
            stacked,
            groups=GROUPS,
            lanes=LANES,
            numbers=jnp.arange(GROUPS),
        )[:2]

    @jax.jit
    def lone(key, opponent):
        return rollout(context, key, agent, num_envs=LANES, opponent=opponent)[:2]

    key = jax.random.key(3)
    keys = jax.random.split(key, GROUPS + 1)[1:]
    groups = [lone(k, opponent) for k, opponent in zip(keys, opponents, strict=True)]
    return jax.device_get(together(key)), jax.device_get(groups)


def test_a_group_is_a_rollout_of_its_own_against_its_opponent(grouped):
    (rows, result), groups = grouped
    for g, (alone, its) in enumerate(groups):
        mine = slice(g * LANES, (g + 1) * LANES)
        for name, together in rows._asdict().items():
            lanes_first = name in ("final_value", "bootstrap_mask")
            # What a network computes may differ in its last bit, as it does from batch to batch;
            # the games that are played may not.
            same = (
                functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
                if name in ("extras", "final_value")
                else np.testing.assert_array_equal
            )
            at = (mine,) if lanes_first else (slice(None), mine)
            part = jax.tree.map(operator.itemgetter(at), together)
            jax.tree.map(same, part, getattr(alone, name))
        assert (result.reward[g], result.games[g]) == (its.reward, its.games)
    assert result.games.shape == (GROUPS,)
    assert rows.action.shape == (STEPS, GROUPS * LANES)
    # Other opponents and other keys: no two groups play the same games.
    assert len({alone.action.tobytes() for alone, _ in groups}) == GROUPS


def test_the_agent_moves_first_in_half_of_every_groups_lanes(grouped):
    (rows, result), _ = grouped
    for g in range(GROUPS):
        agents_return, games = replay(rows, range(g * LANES, (g + 1) * LANES), against=True)
        assert result.games[g] == games > LANES
        assert result.reward[g] == agents_return
    # The index that pgx gives the first mover says nothing of it.
    agent_first = rows.trained[0]
    assert agent_first.tolist() == [i < LANES // 2 for i in range(LANES)] * GROUPS
    assert set(rows.seat[0][agent_first].tolist()) == {0, 1}
    assert set(rows.seat[0][~agent_first].tolist()) == {0, 1}


def test_only_the_agents_seat_is_trained_and_bootstraps(grouped):
    (rows, _), _ = grouped
    assert (rows.trained_seats == 1).all()
    agents = np.where(rows.trained[-1], rows.seat[-1], 1 - rows.seat[-1])
    goes_on = ~rows.done[-1]
    # Two seats take turns: the agent is to move where the opponent moved last.
    held = (agents[:, None] == np.arange(2)) & ~rows.trained[-1][:, None]
    np.testing.assert_array_equal(rows.bootstrap_mask[goes_on], held[goes_on])
