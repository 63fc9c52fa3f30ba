"""Matches against every archived entry of the league, which decide which ones are active.

Axis letters: S slots, E capacity of the archive, M games per entry, A actions.

RNG: an entry's games draw from `fold_in(key, born)`, so they do not depend on the other entries;
`born` is the iteration after which the entry was frozen.
"""

from functools import partial
from typing import Any

import attrs
import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.search import require_searchable
from jaxpot.errors import UserError
from jaxpot.evaluators.play import Games, play_games, rates
from jaxpot.evaluators.players import EvaluatorOutput, policy_player
from jaxpot.games.base import Environment
from jaxpot.league import ARCHIVE, Table, gather, update_scores
from jaxpot.models.base import Network, Variables
from jaxpot.spec import ArchiveEvaluator, League


@attrs.frozen(kw_only=True, eq=False)
class ArchiveMatches:
    """Plays `num_games` games against each archived entry, one entry after the other."""

    config: ArchiveEvaluator
    rules: League
    env: Environment[Any]
    network: Network

    def run(self, variables: Variables, key: Array, *, pool: Any, league: Table) -> EvaluatorOutput:
        """Return `play.rates` over all games, and `league` with new scores and activity.

        The time grows with the number of archived entries, not with the archive's capacity.
        """
        config, num_games = self.config, self.config.num_games
        options = {"greedy": config.greedy, "search": config.search}
        play = partial(policy_player, self.env, self.network, **options)
        agent = play(variables)
        archived = league.place == ARCHIVE
        by_age = jnp.argsort(jnp.where(archived, league.born, jnp.iinfo(jnp.int32).max))
        slots = by_age[: self.rules.archive_size]

        def match(i: Array, results: Games) -> Games:
            slot = slots[i]
            opponent = play(gather(pool, slot))
            entry_key = jax.random.fold_in(key, league.born[slot])
            games = play_games(self.env, agent, opponent, entry_key, num_games=num_games)
            return results._replace(
                finished=results.finished.at[i].set(games.finished),
                returns=results.returns.at[i].set(games.returns),
                action_counts=results.action_counts + games.action_counts,
            )

        shape = (self.rules.archive_size, num_games)
        nothing = Games(
            agent_first=jnp.broadcast_to(jnp.arange(shape[1]) < shape[1] // 2, shape),
            finished=jnp.zeros(shape, jnp.bool_),
            returns=jnp.zeros(shape, jnp.float32),
            action_counts=jnp.zeros(self.env.num_actions, jnp.int32),
            state=None,
        )
        entries = archived.sum()
        results = jax.lax.fori_loop(0, entries, match, nothing)
        updated = update_scores(
            league,
            slots,
            jnp.where(results.finished, results.returns, 0.0).sum(axis=1),
            results.finished.sum(axis=1, dtype=jnp.int32),
            alpha=self.rules.score_alpha,
        )
        active = archived & (updated.score < self.rules.forgotten_margin)
        return EvaluatorOutput(
            metrics=rates(
                jax.tree.map(jnp.ravel, results),
                played=jnp.repeat(jnp.arange(shape[0]) < entries, shape[1]),
            ),
            histograms={"actions": results.action_counts},
            fields={"league": updated._replace(active=active)},
        )


def build(
    config: ArchiveEvaluator,
    *,
    name: str,
    env: Environment[Any],
    network: Network,
    league: League | None,
) -> ArchiveMatches:
    """Build the evaluator.

    Raises:
        UserError: The experiment has no league, or the game or the network allows no search.
    """
    if league is None:
        raise UserError(f"{name}: it plays the archive of a league, and the spec has no [league]")
    if config.search is not None:
        require_searchable(env, network, name=name)
    return ArchiveMatches(config=config, rules=league, env=env, network=network)
