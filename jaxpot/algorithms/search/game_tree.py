"""The game as a tree for mctx: rewards, the player to move, and where games end.

Axis letters: N lanes, A actions.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mctx
from jax import Array

from jaxpot.errors import UserError
from jaxpot.games.base import Environment
from jaxpot.models.base import Network, Observation, Variables

# Type checkers see no fields in chex's dataclasses.
_RootOutput: Any = mctx.RootFnOutput
_StepOutput: Any = mctx.RecurrentFnOutput


class Node(NamedTuple):
    """A position in the tree, `[N, ...]`."""

    state: Any
    """The game's states."""
    over: Array
    """`[N]` bool: the game has ended here or above; below such a node no move has an effect."""


def require_searchable(env: Environment[Any], network: Network, *, name: str) -> None:
    """Check that a game and a network allow a search.

    Args:
        env: The game.
        network: The network.
        name: The part that wants to search, for the error.

    Raises:
        UserError: The game has chance, hidden information or rewards that do not add up to zero, or
            the network has a memory.
    """
    if not env.deterministic:
        raise UserError(f"{name}: a game of chance cannot be searched: a move has no one outcome")
    if not env.perfect_information:
        raise UserError(f"{name}: a search would see what the game hides from its players")
    if not env.zero_sum:
        raise UserError(
            f"{name}: a search takes one player's gain for the other's loss, and this game is not "
            "zero-sum"
        )
    if network.recurrent:
        raise UserError(
            f"{name}: a search asks the network about positions that were not played, of which a "
            "recurrent network has no memory"
        )


def root_of(
    network: Network, variables: Variables, state: Any, observation: Observation
) -> tuple[Any, Array]:
    """Evaluate the positions to search from; the value of one that is over is zero.

    Args:
        network: The network.
        variables: Its variables.
        state: The batched states of the games, `[N]`.
        observation: `[N, ...]`: the observation of the player to move.

    Returns:
        The root, and its illegal actions, `[N, A]` bool; a lane that is over has none, since mctx
        needs at least one legal action.
    """
    over = state.terminated
    prior_logits, value, legal = _evaluate(network, variables, state, observation, over)
    root = _RootOutput(prior_logits=prior_logits, value=value, embedding=Node(state, over))
    return root, ~legal


def make_step(env: Environment[Any], network: Network, *, gamma: float) -> Any:
    """Return mctx's `recurrent_fn`: one move in the game, and the network's evaluation after it.

    Games are never reset: after a game's end, moves have no effect and no reward. The reward is the
    mover's. The discount is negative where the other player moves next, which turns the sign of the
    values below; so a player may move several times in a row.
    """

    def step(variables: Variables, key: Array, action: Array, node: Node) -> tuple[Any, Node]:
        mover = node.state.current_player
        # A deterministic game ignores its key, so all lanes can share one.
        state = jax.vmap(env.step, in_axes=(0, 0, None))(node.state, action, key)
        over = node.over | state.terminated
        same = state.current_player == mover
        observation = jax.vmap(env.observe)(state, state.current_player)
        prior_logits, value, _ = _evaluate(network, variables, state, observation, over)
        reward = jnp.where(mover == 0, state.rewards[:, 0], state.rewards[:, 1])
        output = _StepOutput(
            reward=jnp.where(node.over, 0.0, reward),
            discount=jnp.where(over, 0.0, jnp.where(same, gamma, -gamma)),
            prior_logits=prior_logits,
            value=value,
        )
        return output, Node(state, over)

    return step


def _evaluate(
    network: Network, variables: Variables, state: Any, observation: Observation, over: Array
) -> tuple[Array, Array, Array]:
    """Return masked logits `[N, A]`, values `[N]`, 0 where the game is over, and legal actions."""
    logits, value = network.apply(variables, observation)
    # After a game's end its legal actions mean nothing, and there may be none.
    legal = state.legal_action_mask | over[:, None]
    prior_logits = jnp.where(legal, logits, jnp.finfo(logits.dtype).min)
    return prior_logits, jnp.where(over, 0.0, value), legal
