"""Games that show their past, against a walk in NumPy over what the game itself shows."""

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.errors import UserError
from jaxpot.games import auto_reset_step, uniform_legal_action, with_history
from jaxpot.games.base import Describing, TellsHands
from jaxpot.games.pgx_env import build
from jaxpot.spec import PgxEnv
from jaxpot.testing.recall import RecallGame
from tests.games.nim import Nim

LANES, STEPS = 4, 12
BOARD, CARDS = build(PgxEnv(id="tic_tac_toe")), RecallGame(length=1)
CASES = {
    "squares": (BOARD, build(PgxEnv(id="tic_tac_toe", history=4, action_history=3))),
    # Its players see different things.
    "hidden": (CARDS, with_history(CARDS, positions=3, actions=2)),
}


def played(env, inner, key):
    """Plays at random with auto-reset; what both see, with and without history, and what was done.

    The game itself is looked at inside the same states.
    """

    def turn(state, key):
        act_key, env_key = jax.random.split(key)
        action = uniform_legal_action(state.legal_action_mask, act_key)
        shown, plain = (
            jnp.stack([jax.vmap(look)(of, jnp.full(LANES, player)) for player in (0, 1)], axis=1)
            for look, of in ((env.observe, state), (inner.observe, state.now))
        )
        after = jax.vmap(lambda s, a, k: auto_reset_step(env, s, a, k))(
            state, action, jax.random.split(env_key, LANES)
        )
        return after.state, (shown, plain, action, after.terminated)

    deal_key, play_key = jax.random.split(key)
    start = jax.vmap(env.init)(jax.random.split(deal_key, LANES))
    return jax.lax.scan(turn, start, jax.random.split(play_key, STEPS))[1]


def picture(inner, action):
    """What one action adds to an observation, by hand."""
    if inner is BOARD:
        square = np.zeros((3, 3, 1), bool)
        square[action // 3, action % 3] = True
        return square
    return np.arange(2) == action


@pytest.mark.parametrize(("inner", "env"), CASES.values(), ids=CASES)
def test_shows_what_was_seen_and_done_the_newest_first(inner, env):
    positions, actions = env.positions, env.actions
    run = jax.jit(lambda key: played(env, inner, key))
    shown, plain, action, done = jax.device_get(run(jax.random.key(0)))
    assert shown.shape[3:] == env.observation_shape
    assert shown.dtype == env.observation_dtype == inner.observation_dtype
    assert done.any()
    blank = np.zeros_like(picture(inner, 0))
    for lane in range(LANES):
        first = 0
        for t in range(STEPS):
            for player in (0, 1):
                seen = [plain[t - back, lane, player] for back in range(positions)]
                parts = [x if t - back >= first else x & False for back, x in enumerate(seen)]
                for u in range(t - 1, t - 1 - actions, -1):
                    parts.append(picture(inner, action[u, lane]) if u >= first else blank)
                np.testing.assert_array_equal(shown[t, lane, player], np.concatenate(parts, -1))
            if done[t, lane]:
                first = t + 1


@attrs.frozen(kw_only=True, eq=False)
class Board(Nim):
    """Nim on a board of one line, of int32, with any number of actions."""

    def observe(self, state, player):
        return jnp.broadcast_to(state.heap, self.observation_shape)


def shown_after(env, action):
    """What the action adds to an observation."""
    state = env.step(env.init(jax.random.key(0)), jnp.int32(action), jax.random.key(1))
    return env.observe(state, jnp.int32(0))[..., env.env.observation_shape[-1] :]


@pytest.mark.parametrize(
    ("shape", "num_actions", "action", "expected"),
    [
        ((1, 2, 1), 3, 1, [[[0], [1]]]),
        ((1, 2, 1), 3, 2, [[[0], [0]]]),  # a pass
        ((2, 3, 1), 3, 2, [[[0], [0], [1]], [[0], [0], [1]]]),
        ((1, 5, 1), 3, 2, [[[0, 0, 1]] * 5]),
        ((4,), 3, 0, [1, 0, 0]),
    ],
)
def test_an_action_is_shown_as_the_board_has_it(shape, num_actions, action, expected):
    inner = Board(observation_shape=shape, num_actions=num_actions)
    found = shown_after(with_history(inner, positions=1, actions=1), action)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == jnp.int32


def test_without_a_past_the_game_is_the_same():
    env = Nim()
    assert with_history(env, positions=1, actions=0) is env


def test_what_can_be_seen_from_one_seat_only_has_no_history():
    with pytest.raises(UserError, match="every position to both players"):
        build(PgxEnv(id="backgammon", history=2))
    assert build(PgxEnv(id="backgammon", action_history=1)).observation_shape == (34 + 156,)


@pytest.mark.parametrize("shape", [{"heap": (1,)}, ()])
def test_several_arrays_have_no_history(shape):
    env = Nim(observation_shape=shape)
    with pytest.raises(UserError, match="whose observation is one array"):
        with_history(env, positions=2, actions=0)


def test_the_newest_position_is_described():
    env = build(PgxEnv(id="tic_tac_toe", history=2, action_history=1))
    assert isinstance(env, Describing)
    seen = np.zeros((3, 3, 5), bool)
    seen[0, 0, 1] = True
    assert env.describe(seen) == "X . .\n. . .\n. . .\nO is to move"
    assert with_history(Nim(), positions=2, actions=0).describe(np.zeros(2)) is None


def test_hands_are_told_where_the_game_tells_them():
    env = build(PgxEnv(id="kuhn_poker", history=2))
    assert isinstance(env, TellsHands) and env.hand_size == 3
    other = with_history(Nim(), positions=2, actions=0)
    assert other.hand_size == 0
    with pytest.raises(UserError, match="tells no hands"):
        other.opponent_hand(other.init(jax.random.key(0)), jnp.int32(0))
