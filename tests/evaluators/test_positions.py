import dataclasses

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot import spec
from jaxpot.errors import UserError
from jaxpot.evaluators.positions import enumerate_positions
from jaxpot.games import pgx_env
from tests.games.nim import Nim


@pytest.fixture(scope="module")
def tic_tac_toe():
    return pgx_env.build(spec.PgxEnv(id="tic_tac_toe"))


def test_tic_tac_toe_has_its_known_totals(tic_tac_toe):
    tree = enumerate_positions(tic_tac_toe, max_positions=5_478)
    assert tree.num_positions == 5_478
    outcomes, counts = np.unique(tree.returns, axis=0, return_counts=True)
    assert outcomes.tolist() == [[-1, 1], [0, 0], [1, -1]]
    assert counts.tolist() == [316, 16, 626]
    # Every unfinished position has one move per empty cell, and even plies are the first mover's.
    empty = 9 - tree.observation.sum((1, 2, 3))
    np.testing.assert_array_equal(np.bincount(tree.parent), empty)
    np.testing.assert_array_equal(tree.legal_action_mask.sum(1), empty)
    np.testing.assert_array_equal(tree.first_moves, empty % 2 == 1)
    assert set(tree.child.tolist()) == set(range(1, 5_478))


@pytest.mark.parametrize("player", [0, 1])
def test_who_moves_first_changes_no_position(player):
    """Either index of the first mover gives the same tree, seen by movers and in returns."""

    class Fixed(Nim):
        def init(self, key):
            return dataclasses.replace(super().init(key), current_player=jnp.int32(player))

    fixed, drawn = (
        enumerate_positions(env, max_positions=100) for env in (Fixed(heap=5), Nim(heap=5))
    )
    for column in attrs.asdict(fixed):
        np.testing.assert_array_equal(getattr(fixed, column), getattr(drawn, column))


def test_positions_that_meet_at_different_depths_are_one():
    """Nim's states keep no count of moves: a heap and a mover are a position, however reached."""
    tree = enumerate_positions(Nim(heap=6), max_positions=100)
    unfinished = list(zip(tree.observation[:, 0].tolist(), tree.first_moves.tolist(), strict=True))
    assert len(unfinished) == len(set(unfinished))
    assert set(unfinished) == reachable(6)
    assert sorted(tree.returns.tolist()) == [[-1, 1], [1, -1]]


def reachable(heap):
    seen, frontier = set(), {(heap, True)}
    while frontier:
        seen |= frontier
        frontier = {
            (left - taken, not first)
            for left, first in frontier
            for taken in (1, 2, 3)
            if left - taken > 0
        } - seen
    return seen


def test_rewards_on_the_way_tell_positions_apart():
    """A game that pays as it goes: the same heap with other earnings is another position."""

    class Paid(Nim):
        def step(self, state, action, key):
            after = super().step(state, action, key)
            paid = jnp.where(jnp.arange(2) == state.current_player, action + 1, 0)
            return dataclasses.replace(after, rewards=paid.astype(jnp.float32))

    tree = enumerate_positions(Paid(heap=3, zero_sum=False), max_positions=100)
    # 3 | 1,2 | 2,1 | 1,1,1: whoever takes a counter is paid for it.
    assert sorted(tree.returns.tolist()) == [[1, 2], [2, 1], [2, 1], [3, 0]]


def test_too_large_a_game_is_refused(tic_tac_toe):
    with pytest.raises(UserError) as caught:
        enumerate_positions(tic_tac_toe, max_positions=5_477)
    assert str(caught.value) == (
        "the game has more than 5477 positions: 5478 within 9 moves; "
        "raise max_positions, or use a 'random' evaluator"
    )


def test_a_game_that_starts_at_random_is_refused():
    class Shuffled(Nim):
        def init(self, key):
            heap_key, first_key = jax.random.split(key)
            heap = jax.random.randint(heap_key, (), 1, 8)
            return dataclasses.replace(super().init(first_key), heap=heap)

    with pytest.raises(UserError, match="starts from different positions"):
        enumerate_positions(Shuffled(), max_positions=100)
