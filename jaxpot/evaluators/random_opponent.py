"""Games against an opponent that plays uniformly over its legal actions.

Axis letters: N lanes, A actions.
"""

from functools import partial
from typing import Any

import attrs
import jax
from jax import Array

from jaxpot.algorithms.policy import greedy_action, sample_action
from jaxpot.envs.actions import uniform_legal_action
from jaxpot.envs.base import Environment
from jaxpot.evaluators.base import EvaluatorOutput
from jaxpot.evaluators.play import Games, play_games, rates
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

        def agent(state: Any, key: Array) -> Array:
            observation = jax.vmap(self.env.observe)(state, state.current_player)
            logits, _ = self.network.apply(params, model_state, observation)
            choose = greedy_action if self.greedy else partial(sample_action, key)
            return choose(logits, state.legal_action_mask)

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
