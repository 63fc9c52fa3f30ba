"""The contract of an evaluator, and its players: a policy, a search, or random moves.

Axis letters: N lanes, A actions.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.losses import greedy_action, sample_action
from jaxpot.algorithms.search import SearchOptions, noiseless, search
from jaxpot.errors import UserError
from jaxpot.games.base import Environment, uniform_legal_action
from jaxpot.models.base import Network, Variables
from jaxpot.models.memory import Carry
from jaxpot.spec import Search


class Player(NamedTuple):
    """One side of a batch of games, with a carry from each of its decisions to the next."""

    start: Callable[[int], Carry]
    """Returns the carry at the start of `N` games, `[N, ...]`."""
    choose: Callable[[Any, Carry, Array], tuple[Array, Carry]]
    """Chooses actions `[N]` int32 in batched states `[N]`, given its carry and a key for all."""


def policy_player(
    env: Environment[Any],
    network: Network,
    variables: Variables,
    *,
    greedy: bool,
    search: Search | None = None,
) -> Player:
    """Return a player that follows a network's policy, or a search that the network guides.

    A greedy player takes its best move. Otherwise it samples from its policy, or its search's.
    """
    if search is not None:
        return _search_player(env, network, variables, greedy=greedy, config=search)

    def choose(state: Any, carry: Carry, key: Array) -> tuple[Array, Carry]:
        observation = jax.vmap(env.observe)(state, state.current_player)
        outputs, carry = network.step(variables, observation, carry)
        pick = greedy_action if greedy else partial(sample_action, key)
        return pick(outputs.logits, state.legal_action_mask), carry

    return Player(start=network.initial_carry, choose=choose)


def uniform_player() -> Player:
    """Return a player that draws from the legal actions uniformly."""

    def choose(state: Any, carry: Carry, key: Array) -> tuple[Array, Carry]:
        return uniform_legal_action(state.legal_action_mask, key), carry

    return Player(start=_nothing, choose=choose)


def _search_player(
    env: Environment[Any], network: Network, variables: Variables, *, greedy: bool, config: Search
) -> Player:
    options = noiseless(SearchOptions.of(config))

    def choose(state: Any, carry: Carry, key: Array) -> tuple[Array, Carry]:
        search_key, sample_key = jax.random.split(key)
        observation = jax.vmap(env.observe)(state, state.current_player)
        found = search(options, env, network, variables, state, observation, search_key)
        if greedy:
            return found.action, carry
        # The weights are probabilities, and `sample_action` takes logits.
        logits = jnp.log(found.weights)
        return sample_action(sample_key, logits, state.legal_action_mask), carry

    return Player(start=_nothing, choose=choose)


def _nothing(lanes: int) -> Carry:
    del lanes
    return ()


class OpponentError(UserError):
    """The opponent that an evaluator's config names cannot be loaded.

    Attributes:
        code: The fault's code.
        key: The config's key that is wrong.
        allowed: What would be right.
    """

    def __init__(self, code: str, key: str, message: str, allowed: str) -> None:
        super().__init__(message)
        self.code = code
        self.key = key
        self.allowed = allowed


class EvaluatorOutput(NamedTuple):
    """The results of one evaluation; the loop prefixes their names with the evaluator's."""

    metrics: Mapping[str, Array]
    """Scalars by name, such as `win_rate` or `p0/win_rate`; in `p0` the agent moves first."""
    histograms: Mapping[str, Array]
    """Counts, `[bins]` int32, by name, such as `actions`."""
    fields: Mapping[str, Any] = {}  # jax has no pytree of a read-only mapping
    """New values of the fields of the state that the evaluator's kind declares to write."""


class Evaluator(Protocol):
    """A pure function from a network's parameters to results; the loop jits it as one program.

    An evaluator may have an attribute `constants`, a dict of arrays that are passed to `run` by
    keyword instead of compiled in, and an attribute `source`, plain data on where they come from,
    which the run records.
    """

    def run(self, variables: Variables, key: Array) -> EvaluatorOutput:
        """Evaluate the network; `key` is consumed if the evaluator draws.

        Keyword arguments are its constants and the fields of the state that its kind reads.
        """
        ...
