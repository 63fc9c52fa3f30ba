"""pgx's games as environments, and their boards as text."""

import jax
import jax.numpy as jnp
import numpy as np
import pgx
import pyspiel
import pytest

from jaxpot import spec
from jaxpot.errors import UserError
from jaxpot.games import pgx_env, uniform_legal_action
from jaxpot.games.base import Describing
from jaxpot.games.pgx_env import build, draw
from jaxpot.spec import PgxEnv
from tests.marks import slow_except

LANES = 16


def make(game_id):
    return pgx_env.build(spec.PgxEnv(id=game_id))


def play_at_random(env, key):
    """Returns the lanes' states before each step, and the actions, time-major."""

    @jax.jit
    def play(key):
        deal_key, play_key = jax.random.split(key)
        start = jax.vmap(env.init)(jax.random.split(deal_key, LANES))

        def turn(state, key):
            act_key, env_key = jax.random.split(key)
            action = uniform_legal_action(state.legal_action_mask, act_key)
            stepped = jax.vmap(env.step)(state, action, jax.random.split(env_key, LANES))
            return stepped, (state, action)

        return jax.lax.scan(turn, start, jax.random.split(play_key, env.max_steps + 1))[1]

    return jax.device_get(play(key))


GAMES = ["tic_tac_toe", "connect_four", "kuhn_poker", "othello"]


@pytest.mark.parametrize("game_id", slow_except(GAMES, "tic_tac_toe", "kuhn_poker"))
def test_plays_as_pgx_does(game_id):
    """The same keys and actions, through pgx's own `step` with its own observation."""
    env, game = make(game_id), pgx.make(game_id)

    @jax.jit
    def compare(key):
        deal_key, play_key = jax.random.split(key)
        keys = jax.random.split(deal_key, LANES)

        def turn(carry, key):
            ours, theirs = carry
            act_key, env_key = jax.random.split(key)
            action = uniform_legal_action(theirs.legal_action_mask, act_key)
            mover = theirs.current_player
            other = jax.vmap(game._observe)(theirs, 1 - mover)
            pairs = (
                (ours.current_player, mover),
                (ours.legal_action_mask, theirs.legal_action_mask),
                (ours.rewards, theirs.rewards),
                (ours.terminated, theirs.terminated),
                (jax.vmap(env.observe)(ours, mover), theirs.observation),
                (jax.vmap(env.observe)(ours, 1 - mover), other),
            )
            env_keys = jax.random.split(env_key, LANES)
            after = (
                jax.vmap(env.step)(ours, action, env_keys),
                jax.vmap(game.step)(theirs, action, jax.random.clone(env_keys)),
            )
            equal = jnp.stack([jnp.array_equal(a, b) for a, b in pairs])
            return after, (equal, theirs.terminated)

        start = jax.vmap(env.init)(keys), jax.vmap(game.init)(jax.random.clone(keys))
        return jax.lax.scan(turn, start, jax.random.split(play_key, env.max_steps + 1))[1]

    equal, terminated = jax.device_get(compare(jax.random.key(0)))
    assert equal.all(0).all()
    assert terminated[-1].all()


@pytest.mark.parametrize("game_id", ["tic_tac_toe", "connect_four"])
def test_plays_as_openspiel_does(game_id):
    env = make(game_id)
    states, actions = play_at_random(env, jax.random.key(1))
    for lane in range(LANES):
        replay = pyspiel.load_game(game_id).new_initial_state()
        first = states.current_player[0, lane]
        for t in range(env.max_steps + 1):
            assert states.terminated[t, lane] == replay.is_terminal()
            if replay.is_terminal():
                break
            legal = np.flatnonzero(states.legal_action_mask[t, lane]).tolist()
            assert legal == replay.legal_actions()
            assert (states.current_player[t, lane] == first) == (replay.current_player() == 0)
            replay.apply_action(int(actions[t, lane]))
        assert states.rewards[t, lane][[first, 1 - first]].tolist() == replay.returns()


@pytest.mark.parametrize("game_id", ["tic_tac_toe", "hex", "othello", "kuhn_poker"])
def test_facts_are_those_of_the_game_and_cost_no_compile(game_id, caplog):
    game = pgx.make(game_id)  # importing a game's module compiles its constants
    with jax.log_compiles():
        env = make(game_id)
    assert "Compiling" not in caplog.text
    state = game.init(jax.random.key(0))
    assert env.num_players == game.num_players == 2
    assert env.num_actions == state.legal_action_mask.shape[0]
    assert env.observation_shape == state.observation.shape
    assert env.observation_dtype == state.observation.dtype


@pytest.mark.slow
def test_backgammon_shows_only_the_movers_view():
    """pgx gives the other player the mover's board, not turned around: no view to learn from."""
    env = make("backgammon")
    assert not env.both_views
    state = jax.jit(env.init)(jax.random.key(0))
    mover = state.current_player
    other = env.observe(state, 1 - mover)
    np.testing.assert_array_equal(other[:28], env.observe(state, mover)[:28])


def test_an_unknown_game_is_the_users_mistake():
    with pytest.raises(UserError, match=r"no two-player game 'tictactoe'.*tic_tac_toe"):
        make("tictactoe")


def planes(*rows):
    """`m` are the mover's stones, `t` the other player's."""
    cells = np.array([list(row) for row in rows])
    return np.stack([cells == "m", cells == "t"], axis=-1)


def test_the_first_player_has_the_crosses():
    assert draw("tic_tac_toe", planes("m..", ".t.", "...")) == ("X . .\n. O .\n. . .\nX is to move")
    assert draw("tic_tac_toe", planes("m..", ".t.", "..t")) == ("O . .\n. X .\n. . X\nO is to move")


def test_elsewhere_the_mover_has_them():
    assert draw("hex", planes("mt", ".m")) == "X O\n. X\nX is to move"


def test_other_games_are_not_drawn():
    assert draw("chess", np.zeros((8, 8, 119))) is None


def test_pgxs_games_describe():
    env = build(PgxEnv(id="tic_tac_toe"))
    assert isinstance(env, Describing)
    assert env.describe(np.zeros((3, 3, 2), bool)) == ". . .\n. . .\n. . .\nX is to move"
