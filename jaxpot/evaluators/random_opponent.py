"""Games against an opponent that plays uniformly over its legal actions.

Axis letters: N lanes, A actions.
"""

from typing import Any

import attrs
from jax import Array

from jaxpot.envs.actions import uniform_legal_action
from jaxpot.envs.base import Environment
from jaxpot.evaluators.base import EvaluatorOutput
from jaxpot.evaluators.play import Games, play_games, policy_player, rates
from jaxpot.models.base import ModelState, Network, Params
from jaxpot.spec import RandomEvaluator


@attrs.frozen(kw_only=True, eq=False)
class RandomOpponent:
    """Plays `num_games` games against a uniformly random opponent.

    Greedy, the agent takes its most likely legal action and draws nothing; otherwise it samples.
    """

    env: Environment[Any]
    network: Network
    num_games: int
    greedy: bool

    def run(self, params: Params, model_state: ModelState, key: Array) -> EvaluatorOutput:
        """Returns `play.rates` and the histogram `actions`, the agent's action counts `[A]`."""
        games = self.play(params, model_state, key)
        return EvaluatorOutput(metrics=rates(games), histograms={"actions": games.action_counts})

    def play(self, params: Params, model_state: ModelState, key: Array) -> Games:
        """Plays the games that `run` sums up."""
        agent = policy_player(self.env, self.network, params, model_state, greedy=self.greedy)

        def opponent(state: Any, key: Array) -> Array:
            return uniform_legal_action(state.legal_action_mask, key)

        return play_games(self.env, agent, opponent, key, num_games=self.num_games)


def build(
    config: RandomEvaluator, *, name: str, env: Environment[Any], network: Network
) -> RandomOpponent:
    """Makes the evaluator; `name` is the loop's business."""
    del name
    return RandomOpponent(
        env=env, network=network, num_games=config.num_games, greedy=config.greedy
    )
