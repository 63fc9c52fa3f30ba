"""Enumerate every position of a small game, once, on the host.

Axis letters: N unfinished positions, T final positions, E moves from one position to another, A
actions, B lanes of a batch.
"""

import itertools
from typing import Any, NamedTuple

import attrs
import jax
import numpy as np
from jax import Array

from jaxpot.errors import UserError
from jaxpot.games.base import Environment

# Moves expanded in one call: enough to make its fixed cost negligible, and few enough to make the
# padding of a game's first and last plies negligible.
_BATCH = 2048
_DEALS = 16


@attrs.frozen(kw_only=True, eq=False)
class GameTree:
    """A game's positions and moves, as NumPy arrays.

    Lines of play that lead to the same state of the game with the same rewards on the way share one
    position. The `N` unfinished positions have the first numbers, the start is 0, and the `T` final
    ones follow.
    """

    observation: Any
    """`[N, ...]`, an array or a tree of arrays: the observation of the player to move."""
    legal_action_mask: np.ndarray
    """`[N, A]` bool."""
    first_moves: np.ndarray
    """`[N]` bool: the player to move is the game's first mover."""
    parent: np.ndarray
    """`[E]` int32, below N."""
    action: np.ndarray
    """`[E]` int32."""
    child: np.ndarray
    """`[E]` int32, below N + T."""
    returns: np.ndarray
    """`[T, 2]` float32: the rewards of the whole game, the first mover's and the other's."""

    @property
    def num_positions(self) -> int:
        """N + T."""
        return len(self.first_moves) + len(self.returns)


class _View(NamedTuple):
    """States `[B]`, and what the enumeration needs of them."""

    state: Any
    observation: Any
    legal_action_mask: Any
    current_player: Any
    rewards: Any
    terminated: Any

    def take(self, rows: Any) -> "_View":
        return jax.tree.map(lambda leaf: leaf[rows], self)


def enumerate_positions(env: Environment[Any], *, max_positions: int) -> GameTree:
    """Enumerate the positions of a deterministic game, breadth first.

    One deal decides which player index moves first; it changes no position, as its mover sees it.

    Args:
        env: A game of perfect information without chance.
        max_positions: The most positions to enumerate.

    Raises:
        UserError: The game starts from different positions, or has more than `max_positions`.
    """

    def view(state: Any) -> _View:
        return _View(
            state=state,
            observation=env.observe(state, state.current_player),
            legal_action_mask=state.legal_action_mask,
            current_player=state.current_player,
            rewards=state.rewards,
            terminated=state.terminated,
        )

    # These two names appear in the list of compiled programs.
    def game_tree_deal() -> _View:
        keys = jax.random.split(jax.random.key(0), _DEALS)
        return jax.vmap(lambda key: view(env.init(key)))(keys)

    def game_tree_step(state: Any, action: Array) -> _View:
        key = jax.random.key(0)
        return jax.vmap(lambda s, a: view(env.step(s, a, key)))(state, action)

    step = jax.jit(game_tree_step)
    deals = jax.device_get(jax.jit(game_tree_deal)())
    return _search(_start(deals), step, max_positions=max_positions)


def _start(deals: _View) -> _View:
    """Return one deal `[1]`, after checking that all deals look alike to their movers."""
    for leaf in jax.tree.leaves((deals.observation, deals.legal_action_mask, deals.terminated)):
        if (leaf != leaf[:1]).any():
            raise UserError("the game starts from different positions; its tree has no single root")
    return deals.take(slice(0, 1))


def _search(start: _View, step: Any, *, max_positions: int) -> GameTree:
    first = int(start.current_player[0])
    seats = [first, 1 - first]
    frontier, ids = start, np.zeros(1, np.int64)
    returns = np.zeros((1, 2), np.float32)
    number = dict.fromkeys(_fingerprints(start.state, returns), 0)
    layers, moves = [(frontier._replace(state=()), returns)], []
    for depth in itertools.count(1):
        row, action = np.nonzero(frontier.legal_action_mask & ~frontier.terminated[:, None])
        if not len(row):
            break
        reached = _step_all(step, frontier.state, row, action)
        paid = returns[row] + reached.rewards[:, seats]
        child, new = _number(number, _fingerprints(reached.state, paid))
        if len(number) > max_positions:
            raise UserError(
                f"the game has more than {max_positions} positions: {len(number)} within "
                f"{depth} moves; raise max_positions, or use a 'random' evaluator"
            )
        moves.append((ids[row], action, child))
        frontier, returns, ids = reached.take(new), paid[new], child[new]
        layers.append((frontier._replace(state=()), returns))
    return _assemble(layers, moves, first)


def _step_all(step: Any, state: Any, row: np.ndarray, action: np.ndarray) -> _View:
    """Play move `action[i]` in `state[row[i]]`, in batches of one fixed size."""
    batches = []
    for begin in range(0, len(row), _BATCH):
        rows, actions = row[begin : begin + _BATCH], action[begin : begin + _BATCH]
        padding = (0, _BATCH - len(rows))
        padded = np.pad(rows, padding)
        parents = jax.tree.map(lambda leaf, padded=padded: leaf[padded], state)
        batch = parents, np.pad(actions, padding).astype(np.int32)
        after = jax.device_get(step(*jax.device_put(batch)))
        batches.append(after.take(slice(0, len(rows))))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *batches)


def _fingerprints(state: Any, returns: np.ndarray) -> list[bytes]:
    """Return the bytes of each position `[B]`, which identify it."""
    count = len(returns)
    leaves = [*jax.tree.leaves(state), returns]
    columns = [np.ascontiguousarray(leaf).reshape(count, -1).view(np.uint8) for leaf in leaves]
    return [row.tobytes() for row in np.concatenate(columns, axis=1)]


def _number(number: dict[bytes, int], fingerprints: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Number positions; return the numbers, and the rows where new ones first appear."""
    child = np.zeros(len(fingerprints), np.int64)
    new = []
    for i, fingerprint in enumerate(fingerprints):
        known = len(number)
        child[i] = number.setdefault(fingerprint, known)
        if child[i] == known:
            new.append(i)
    return child, np.array(new, np.int64)


def _assemble(
    layers: list[tuple[_View, np.ndarray]],
    moves: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    first: int,
) -> GameTree:
    views = jax.tree.map(lambda *leaves: np.concatenate(leaves), *[view for view, _ in layers])
    returns = np.concatenate([paid for _, paid in layers])
    parent, action, child = (np.concatenate(column) for column in zip(*moves, strict=True))
    over = views.terminated
    renumbered = np.where(over, (~over).sum() + np.cumsum(over) - 1, np.cumsum(~over) - 1)
    return GameTree(
        observation=jax.tree.map(lambda leaf: leaf[~over], views.observation),
        legal_action_mask=views.legal_action_mask[~over],
        first_moves=views.current_player[~over] == first,
        parent=renumbered[parent].astype(np.int32),
        action=action.astype(np.int32),
        child=renumbered[child].astype(np.int32),
        returns=returns[over],
    )
