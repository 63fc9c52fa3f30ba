"""Searches against minimax and the games' rules in plain Python."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot import spec
from jaxpot.algorithms.search import (
    Node,
    SearchOptions,
    make_step,
    noiseless,
    require_searchable,
    search,
)
from jaxpot.errors import UserError
from jaxpot.evaluators.positions import enumerate_positions
from jaxpot.games import pgx_env
from jaxpot.models.base import Variables
from tests.algorithms.again import HEAP, Again, at, plain_move, plain_q
from tests.algorithms.networks import Opinion
from tests.evaluators.stubs import Memoryless
from tests.marks import slow_except

POLICIES = ("gumbel_muzero", "muzero")
TIC_TAC_TOE = pgx_env.build(spec.PgxEnv(id="tic_tac_toe"))
LINES = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]


def searching(env, **options):
    """Returns a jitted search by `(logits, value, batched states, key)`."""
    options = SearchOptions(**{"gamma": 1.0} | options)

    def run(logits, value, state, key):
        observation = jax.vmap(env.observe)(state, state.current_player)
        return search(options, env, Opinion(), Variables(logits, value), state, observation, key)

    return jax.jit(run)


@functools.cache
def small(policy):
    """A search of six simulations, as a function of an opinion, states and a key."""
    return searching(TIC_TAC_TOE, policy=policy, num_simulations=6)


@jax.jit
def replayed(lines):
    """Returns tic-tac-toe's states after lines of moves `[N, T]`, each filled up with -1."""

    def move(state, action):
        after = jax.vmap(TIC_TAC_TOE.step, in_axes=(0, 0, None))(state, action, key)
        goes_on = action >= 0
        return jax.tree.map(
            lambda new, old: jnp.where(goes_on.reshape(-1, *[1] * (new.ndim - 1)), new, old),
            after,
            state,
        ), None

    key = jax.random.key(0)
    start = TIC_TAC_TOE.init(key)
    state = jax.tree.map(lambda x: jnp.broadcast_to(x, (len(lines), *x.shape)), start)
    return jax.lax.scan(move, state, lines.T)[0]


@functools.cache
def positions():
    """Every unfinished position of tic-tac-toe: its state, and the board from its mover's side."""
    tree = enumerate_positions(TIC_TAC_TOE, max_positions=6_000)
    count = len(tree.first_moves)
    came = dict(zip(tree.child.tolist(), zip(tree.parent, tree.action, strict=True), strict=True))

    def line(position):
        actions = []
        while position:
            position, action = came[position]
            actions.append(action)
        return [*reversed(actions), *[-1] * (9 - len(actions))]

    lines = np.array([line(position) for position in range(count)], np.int32)

    boards = tree.observation.reshape(count, 9, 2)
    return replayed(lines), boards[..., 0].astype(int) - boards[..., 1].astype(int)


def completing(board, side):
    """Returns the squares that complete a line of `side`, by the rules."""
    return {
        square
        for line in LINES
        for square in line
        if board[square] == 0 and sum(board[list(line)] == side) == 2
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("urgency", "num_simulations", "count"), [("win", 16, 2358), ("block", 128, 976)]
)
def test_finds_every_win_and_every_block_in_one_move(urgency, num_simulations, count):
    """Over all reachable positions, with a network that knows nothing."""
    state, boards = positions()
    wanted = {}
    for position, board in enumerate(boards):
        wins, threats = completing(board, 1), completing(board, -1)
        if urgency == "win" and wins:
            wanted[position] = wins
        elif urgency == "block" and not wins and len(threats) == 1:  # two cannot be blocked
            wanted[position] = threats
    assert (len(boards), len(wanted)) == (4520, count)
    rows = np.array([*wanted])
    run = searching(
        TIC_TAC_TOE,
        policy="gumbel_muzero",
        num_simulations=num_simulations,
        gumbel_scale=0.0,
    )
    urgent = jax.tree.map(lambda x: x[rows], state)
    found = run(jnp.zeros(9), jnp.float32(0), urgent, jax.random.key(0))
    missed = [
        boards[position].tolist()
        for (position, moves), action in zip(wanted.items(), found.action.tolist(), strict=True)
        if action not in moves
    ]
    assert missed == []


@pytest.mark.parametrize("policy", slow_except(POLICIES, "muzero"))
def test_agrees_with_minimax_where_a_player_moves_twice(policy):
    """The whole game fits in the tree: the best move of every heap, and what it is worth."""
    gamma, heaps = 0.9, [heap for heap in range(2, HEAP + 1) for _ in (0, 1)]
    states = [at(heap, lane % 2) for lane, heap in enumerate(heaps)]
    state = jax.tree.map(lambda *x: jnp.stack(x), *states)
    run = searching(
        Again(),
        policy=policy,
        num_simulations=128,
        gamma=gamma,
        gumbel_scale=0.0,
        dirichlet_fraction=0.0,
        temperature=0.0,
    )
    found = jax.device_get(run(jnp.zeros(2), jnp.float32(0), state, jax.random.key(0)))
    best = []
    for lane, heap in enumerate(heaps):
        q = [plain_q(heap, action, gamma) for action in (0, 1)]
        if abs(q[0] - q[1]) > 0.1:
            best.append(np.argmax(q))
            assert found.action[lane] == best[-1] == found.weights[lane].argmax()
        # Part of the simulations were not on the best line.
        assert found.value[lane] == pytest.approx(max(q), abs=0.3)
    assert len(best) == 8
    assert set(best) == {0, 1}


def after(*num_moves):
    """Returns lanes of tic-tac-toe, each after so many moves; the fifth ends the game."""
    moves = [0, 3, 1, 4, 2]
    return replayed(np.array([moves[:n] + [-1] * (5 - n) for n in num_moves], np.int32))


@pytest.mark.parametrize("policy", slow_except(POLICIES, "gumbel_muzero"))
def test_weights_are_a_distribution_over_legal_actions(policy):
    state = after(0, 1, 2, 3, 4, 0, 1, 5)
    assert state.terminated.tolist() == [False] * 7 + [True]
    logits = jnp.array([3.0, -1, 2, 0, 9, 1, -9, 0, 4])
    found = jax.device_get(small(policy)(logits, jnp.float32(0.5), state, jax.random.key(3)))
    legal = np.asarray(state.legal_action_mask)
    assert (found.weights[:7][~legal[:7]] == 0).all()
    assert (found.weights >= 0).all()
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-5)
    assert legal[np.arange(7), found.action[:7]].all()
    # The lane that is over is searched along, in vain.
    assert all(np.isfinite(x).all() for x in found)
    assert found.value[7] == 0


@pytest.mark.slow
def test_networks_side_by_side_search_as_each_alone():
    run, state = small("gumbel_muzero"), after(0, 1, 2, 3, 4, 0, 1, 2)
    logits = jax.random.normal(jax.random.key(0), (2, 9))
    values, keys = jnp.array([0.25, -0.5]), jax.random.split(jax.random.key(1))
    both = jax.jit(jax.vmap(run, in_axes=(0, 0, None, 0)))(logits, values, state, keys)
    for group in (0, 1):
        alone = run(logits[group], values[group], state, keys[group])
        np.testing.assert_array_equal(both.action[group], alone.action)
        np.testing.assert_allclose(both.weights[group], alone.weights, atol=1e-6)


def test_options_come_from_a_config_and_lose_their_noise():
    config = spec.AlphaZero(policy="muzero", num_simulations=3, dirichlet_alpha=0.7, gamma=0.5)
    options = SearchOptions.of(config)
    assert options.policy == "muzero"
    assert (options.num_simulations, options.gamma) == (3, 0.5)
    assert (options.dirichlet_fraction, options.dirichlet_alpha) == (0.25, 0.7)
    quiet = noiseless(options)
    assert (quiet.gumbel_scale, quiet.dirichlet_fraction, quiet.temperature) == (0, 0, 0)
    bare = SearchOptions.of(spec.Search(max_num_considered_actions=4))
    assert (bare.policy, bare.max_num_considered_actions) == ("gumbel_muzero", 4)


@pytest.mark.slow
def test_a_long_search_that_leaves_its_policy_nothing_of_what_it_tried_has_a_value():
    # Every simulation goes to one move, whose weight the others' mixed values drown in float32.
    options = {"num_simulations": 1200, "max_num_considered_actions": 1}
    run = searching(TIC_TAC_TOE, policy="gumbel_muzero", **options)
    state = after(0)
    found = jax.device_get(run(jnp.zeros(9), jnp.float32(0.5), state, jax.random.key(0)))
    assert np.isfinite(found.value).all()
    assert np.isfinite(found.weights).all()


GAMMA, VALUE = 0.5, 0.25
MOVES = np.array(list(itertools.product((0, 1), repeat=HEAP + 1)))
"""Every sequence of moves, on after the end of each game."""


@pytest.fixture(scope="module")
def walked():
    """The steps of every line: mctx's outputs and the nodes, `[steps, lines]`."""
    step = make_step(Again(), Opinion(), gamma=GAMMA)
    variables = Variables(jnp.zeros(2), jnp.float32(VALUE))

    @jax.jit
    def walk(actions):
        def move(node, action):
            output, node = step(variables, jax.random.key(0), action, node)
            return node, (output.reward, output.discount, output.value, output.prior_logits, node)

        lanes = actions.shape[1]
        state = jax.tree.map(lambda x: jnp.stack([x] * lanes), at(HEAP, 0))
        return jax.lax.scan(move, Node(state, jnp.zeros(lanes, jnp.bool_)), actions)[1]

    return jax.device_get(walk(MOVES.T))


def test_rewards_are_the_movers_and_discounts_follow_the_turn(walked):
    rewards, discounts, values, logits, nodes = walked
    ended = 0
    for line, actions in enumerate(MOVES):
        heap, player = HEAP, 0
        for t, action in enumerate(actions):
            if heap <= 0 or action >= heap:  # over, or an illegal move that no search makes
                break
            heap, following, paid = plain_move(heap, player, action)
            assert rewards[t, line] == pytest.approx(paid)
            sign = 1 if following == player else -1
            assert discounts[t, line] == (sign * GAMMA if heap else 0)
            assert values[t, line] == (VALUE if heap else 0)
            if heap:
                assert (logits[t, line] == np.where([True, heap > 1], 0, logits.min())).all()
            assert nodes.over[t, line] == (heap == 0)
            player = following
        ended += heap == 0
    assert ended > len(MOVES) / 4


def test_behind_an_end_nothing_happens(walked):
    rewards, discounts, values, logits, nodes = walked
    for line in range(len(MOVES)):
        over = np.flatnonzero(nodes.over[:, line])
        if len(over):
            behind = slice(over[0] + 1, None)
            assert over.tolist() == list(range(over[0], HEAP + 1))
            assert not rewards[behind, line].any()
            assert not discounts[over[0] :, line].any()
            assert not values[over[0] :, line].any()
            assert (logits[behind, line] == 0).all()


@pytest.mark.parametrize(
    ("game_id", "reason"), [("backgammon", "chance"), ("leduc_holdem", "hides from its players")]
)
def test_games_that_cannot_be_searched_are_refused(game_id, reason):
    env = pgx_env.build(spec.PgxEnv(id=game_id))
    with pytest.raises(UserError, match=f"mine: .*{reason}"):
        require_searchable(env, Memoryless(), name="mine")


def test_a_game_that_is_not_zero_sum_and_a_network_with_memory_are_refused():
    with pytest.raises(UserError, match="not zero-sum"):
        require_searchable(Again(zero_sum=False), Memoryless(), name="mine")
    recurrent = Memoryless()
    recurrent.recurrent = True
    with pytest.raises(UserError, match="has no memory"):
        require_searchable(Again(), recurrent, name="mine")
