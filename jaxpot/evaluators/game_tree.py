"""An exact count of the final positions that can be reached against the greedy agent.

Axis letters: N unfinished positions, T final positions, E moves, A actions. In `p0` the
agent moves first, in `p1` second.
"""

from functools import cached_property
from typing import Any

import attrs
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import eval_context

from jaxpot.algorithms.losses import greedy_action
from jaxpot.errors import UserError
from jaxpot.evaluators.players import EvaluatorOutput
from jaxpot.evaluators.positions import GameTree, enumerate_positions
from jaxpot.games.base import Environment
from jaxpot.models.base import Network, Variables
from jaxpot.spec import GameTreeEvaluator

# Positions that the network evaluates at once.
_BATCH = 8192


@attrs.frozen(kw_only=True, eq=False)
class ExactGameTree:
    """Plays the agent's most likely move against every legal move of the opponent.

    A final position counts once for each seat of the agent, however many lines of play lead to it.
    """

    env: Environment[Any]
    network: Network
    max_positions: int

    @cached_property
    def tree(self) -> GameTree:
        """The game's positions; enumerated at first use, when `run` is first traced."""
        # Leave the surrounding trace. `ensure_compile_time_eval` would also evaluate each constant
        # expression in the game's code alone, one small compile each.
        with eval_context():
            return enumerate_positions(self.env, max_positions=self.max_positions)

    def run(self, variables: Variables, key: Array) -> EvaluatorOutput:
        """Return `won`, `drawn` and `lost`, int32, in all and under `p0/` and `p1/`.

        Nothing is drawn: `key` is not used.

        Raises:
            UserError: While it is traced, if the game has more than `max_positions` positions.
        """
        del key

        def agent_move(observation: Array, legal_action_mask: Array) -> Array:
            logits, _ = self.network.apply(variables, observation)
            return greedy_action(logits, legal_action_mask)

        tree = self.tree
        greedy = _in_batches(agent_move, tree.observation, tree.legal_action_mask)
        num_unfinished = len(tree.first_moves)

        def count(agent_moves: Array, returns: Array) -> dict[str, Array]:
            played = ~agent_moves[tree.parent] | (tree.action == greedy[tree.parent])
            reached = _reach(tree, played)[num_unfinished:]
            outcomes = {"won": returns > 0, "drawn": returns == 0, "lost": returns < 0}
            return {
                name: jnp.sum(reached & outcome, dtype=jnp.int32)
                for name, outcome in outcomes.items()
            }

        orders = np.stack([tree.first_moves, ~tree.first_moves]), tree.returns.T
        counts = jax.vmap(count)(*map(jnp.asarray, orders))
        metrics = {name: both.sum(dtype=jnp.int32) for name, both in counts.items()}
        for seat in (0, 1):
            metrics |= {f"p{seat}/{name}": both[seat] for name, both in counts.items()}
        return EvaluatorOutput(metrics=metrics, histograms={})


def build(
    config: GameTreeEvaluator, *, name: str, env: Environment[Any], network: Network
) -> ExactGameTree:
    """Build the evaluator, without enumerating the game yet.

    Raises:
        UserError: The game has chance or hidden information, so that no move has a certain outcome;
            or the network has a memory.
    """
    if network.recurrent:
        raise UserError(
            f"{name}: lines of play meet in one position; a recurrent network would tell them apart"
        )
    if not (env.deterministic and env.perfect_information):
        what = "hidden information" if env.deterministic else "chance"
        raise UserError(f"{name}: a game with {what} has no exact tree; use kind = 'random'")
    return ExactGameTree(env=env, network=network, max_positions=config.max_positions)


def _reach(tree: GameTree, played: Array) -> Array:
    """Return which positions `[N + T]` the moves `played` `[E]` lead to from the start."""

    def spread(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        reached, _ = carry
        after = reached.at[tree.child].max(reached[tree.parent] & played)
        return after, (after != reached).any()

    start = jnp.zeros(tree.num_positions, jnp.bool_).at[0].set(True)
    return jax.lax.while_loop(lambda carry: carry[1], spread, (start, jnp.bool_(True)))[0]


def _in_batches(function: Any, *trees: Any) -> Array:
    """Apply a function to rows `[N, ...]` in batches, so that memory stays bounded."""
    rows = jax.tree.map(jnp.asarray, trees)
    if len(jax.tree.leaves(rows)[0]) <= _BATCH:
        return function(*rows)
    return jax.lax.map(
        lambda row: function(*jax.tree.map(lambda x: x[None], row))[0], rows, batch_size=_BATCH
    )
