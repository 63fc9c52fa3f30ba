"""Games against an opponent that plays uniformly over its legal actions.

Axis letters: N lanes, A actions.
"""

from typing import Any

import attrs
from jax import Array

from jaxpot.algorithms.search import require_searchable
from jaxpot.evaluators.play import Games, play_games, rates
from jaxpot.evaluators.players import EvaluatorOutput, policy_player, uniform_player
from jaxpot.games.base import Environment
from jaxpot.models.base import Network, Variables
from jaxpot.spec import RandomEvaluator


@attrs.frozen(kw_only=True, eq=False)
class RandomOpponent:
    """Plays `num_games` games against a uniformly random opponent.

    If `greedy`, the agent takes its most likely legal action, or the best one of its search;
    otherwise it samples.
    """

    config: RandomEvaluator
    env: Environment[Any]
    network: Network

    def run(self, variables: Variables, key: Array) -> EvaluatorOutput:
        """Return `play.rates` and the histogram `actions`, the agent's action counts `[A]`."""
        games = self.play(variables, key)
        return EvaluatorOutput(metrics=rates(games), histograms={"actions": games.action_counts})

    def play(self, variables: Variables, key: Array) -> Games:
        """Play the games that `run` summarises."""
        agent = policy_player(
            self.env, self.network, variables, greedy=self.config.greedy, search=self.config.search
        )
        return play_games(self.env, agent, uniform_player(), key, num_games=self.config.num_games)


def build(
    config: RandomEvaluator, *, name: str, env: Environment[Any], network: Network
) -> RandomOpponent:
    """Build the evaluator.

    Raises:
        UserError: The game or the network does not allow the search.
    """
    if config.search is not None:
        require_searchable(env, network, name=name)
    return RandomOpponent(config=config, env=env, network=network)
