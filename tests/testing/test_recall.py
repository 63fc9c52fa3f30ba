"""The memory game: what memory is worth in it, and that looking is worth nothing."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.games import with_history
from jaxpot.spec import Experiment, from_resolved
from jaxpot.spec.registry import implementation
from jaxpot.testing import check_environment
from jaxpot.testing.recall import Recall, RecallGame
from tests.spec.specs import SMALL

GAME = RecallGame(length=2)
LANES = 64


def test_it_keeps_the_contract():
    """With a history, which keeps it too."""
    check_environment(with_history(GAME, positions=2, actions=1), num_games=8)


@pytest.fixture(scope="module")
def play():
    """Plays all lanes under two tables of actions, by what is seen: the cues, and the rewards.

    A table gives each player an action for each of the observations that there are, as a binary
    number; `remembers` says who names the cue instead.
    """

    @jax.jit
    def play(tables, remembers, key):
        state = start = jax.vmap(GAME.init)(jax.random.split(key, LANES))

        def turn(state, _):
            mover = state.current_player
            seen = jax.vmap(GAME.observe)(state, mover)
            code = (seen * jnp.array([[1, 2, 4]])).sum(-1)
            action = tables[mover, code]
            cue = jnp.take_along_axis(state.cue, mover[:, None], 1)[:, 0]
            action = jnp.where(remembers[mover], cue, action)
            # Only the legal one until it is asked.
            action = jnp.where(state.legal_action_mask[:, 1], action, 0)
            after = jax.vmap(GAME.step)(state, action, jax.random.split(jax.random.key(0), LANES))
            return after, after.rewards

        state, rewards = jax.lax.scan(turn, state, length=GAME.max_steps)
        return start, state.terminated, rewards.sum(0)

    return play


def test_no_player_who_only_looks_is_right_more_often_than_by_chance(play):
    """By brute force: every table of actions, which mixtures are no better than."""
    seen = (0, 1, 2, 4)  # nothing, a cue, the other, the question
    remembers = jnp.array([False, True])
    shares = []
    for actions in itertools.product((0, 1), repeat=len(seen)):
        table = np.zeros((2, 8), np.int32)
        table[0, list(seen)] = actions
        start, over, reward = jax.device_get(play(table, remembers, jax.random.key(1)))
        cue = start.cue
        assert over.all()
        # The other one is right always, so a loss says that this one was not.
        right = reward[:, 0] == 0
        named = actions[-1]
        np.testing.assert_array_equal(right, cue[:, 0] == named)
        shares.append([right[cue[:, 0] == each].mean() for each in (0, 1)])
    # Cues are equally likely, so the mean over them is what a table is worth.
    assert {float(np.mean(share)) for share in shares} == {0.5}


def test_memory_is_worth_a_draw_against_memory_and_half_a_game_against_a_guess(play):
    table = np.zeros((2, 8), np.int32)
    _, _, both = play(table, jnp.array([True, True]), jax.random.key(2))
    assert not np.any(both)
    start, _, one = jax.device_get(play(table, jnp.array([True, False]), jax.random.key(2)))
    np.testing.assert_array_equal(one[:, 0], (start.cue[:, 1] != 0).astype(np.float32))
    np.testing.assert_array_equal(one[:, 1], -one[:, 0])
    # Who moves first is drawn, like the cues.
    drawn = np.column_stack([start.cue, start.current_player])
    assert len(np.unique(drawn, axis=0)) == 8


def test_a_spec_names_it():
    env = {"kind": "jaxpot.testing.recall:Recall", "length": 5}
    experiment = from_resolved({**SMALL, "env": env}, import_user_code=True)
    assert isinstance(experiment, Experiment)
    game = implementation(experiment.env)(experiment.env)
    assert (game.length, game.max_steps, game.observation_shape) == (5, 12, (3,))
    assert Recall().length == 3
