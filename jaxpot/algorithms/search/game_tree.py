"""The game as a tree that mctx can walk: what a move pays, who moves next, and where it ends.

Axis letters: N lanes, A actions.
"""

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import mctx
from jax import Array

from jaxpot.errors import UserError
from jaxpot.games.base import Environment
from jaxpot.models.base import ModelState, Network, Observation, Params

# chex's dataclasses tell type checkers of no fields.
_RootOutput: Any = mctx.RootFnOutput
_StepOutput: Any = mctx.RecurrentFnOutput

Guide: TypeAlias = tuple[Params, ModelState]
"""The network that guides a search, as its parameters and its untrained variables."""


class Node(NamedTuple):
    """What the tree keeps of a position, `[N, ...]`."""

    state: Any
    """The game's states."""
    over: Array
    """`[N]` bool: the game has ended, here or above; below such a node nothing happens."""


def require_searchable(env: Environment[Any], network: Network, *, name: str) -> None:
    """Checks that a game and a network can be searched with.

    Args:
        env: The game.
        network: The network.
        name: Who wants to search, for the error.

    Raises:
        UserError: The game has chance, hidden information or rewards that do not cancel out, or
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
    network: Network, guide: Guide, state: Any, observation: Observation
) -> tuple[Any, Array]:
    """Evaluates the positions to search from; one that is over is worth nothing.

    Args:
        network: The network.
        guide: Its variables.
        state: The games' states, `[N]`.
        observation: `[N, ...]`: what the player to move sees of them.

    Returns:
        The root, and its illegal actions, `[N, A]` bool: none in a lane that is over, since one
        has to be left.
    """
    over = state.terminated
    prior_logits, value, legal = _evaluate(network, guide, state, observation, over)
    root = _RootOutput(prior_logits=prior_logits, value=value, embedding=Node(state, over))
    return root, ~legal


def make_step(env: Environment[Any], network: Network, *, gamma: float) -> Any:
    """Returns mctx's `recurrent_fn`: one move in the game, and the network's opinion of it.

    Games are never reset: below their ends every move leads nowhere and pays nothing. A reward is
    that of the player who moves; the discount turns the sign of what follows where the other
    player moves next, so a player may move several times in a row.
    """

    def step(guide: Guide, key: Array, action: Array, node: Node) -> tuple[Any, Node]:
        mover = node.state.current_player
        # The game draws nothing: every lane may be given the same key.
        state = jax.vmap(env.step, in_axes=(0, 0, None))(node.state, action, key)
        over = node.over | state.terminated
        same = state.current_player == mover
        observation = jax.vmap(env.observe)(state, state.current_player)
        prior_logits, value, _ = _evaluate(network, guide, state, observation, over)
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
    network: Network, guide: Guide, state: Any, observation: Observation, over: Array
) -> tuple[Array, Array, Array]:
    """Returns masked logits `[N, A]`, values `[N]`, 0 where it is over, and what is legal."""
    logits, value = network.apply(*guide, observation)
    # What the game calls legal behind its end means nothing, and may be nothing.
    legal = state.legal_action_mask | over[:, None]
    prior_logits = jnp.where(legal, logits, jnp.finfo(logits.dtype).min)
    return prior_logits, jnp.where(over, 0.0, value), legal
