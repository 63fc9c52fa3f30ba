"""One search per lane, from the position in which it is.

Axis letters: N lanes, A actions.
"""

from typing import Any, Literal, NamedTuple

import attrs
import jax
import jax.numpy as jnp
import mctx
from jax import Array

from jaxpot.algorithms.search.game_tree import make_step, root_of
from jaxpot.games.base import Environment
from jaxpot.models.base import ModelState, Network, Observation, Params
from jaxpot.spec import Search


@attrs.frozen(kw_only=True)
class SearchOptions:
    """How to search; options of the other policy have no effect.

    Attributes:
        policy: Danihelka et al. 2022, "Policy improvement by planning with Gumbel"; or
            Schrittwieser et al. 2020 (https://arxiv.org/abs/1911.08265), appendix B.
        num_simulations: Positions that a search adds to its tree.
        gamma: Discount per move.
        max_num_considered_actions: Most actions that `gumbel_muzero` tries at the root.
        gumbel_scale: Of the noise by which `gumbel_muzero` samples them.
        dirichlet_fraction: Of the noise in `muzero`'s prior at the root, 0 to 1.
        dirichlet_alpha: The noise's concentration.
        temperature: `muzero` takes an action in proportion to its visits to the power of
            `1 / temperature`; at 0 the most visited one.
    """

    policy: Literal["gumbel_muzero", "muzero"]
    num_simulations: int
    gamma: float
    max_num_considered_actions: int = 16
    gumbel_scale: float = 1.0
    dirichlet_fraction: float = 0.25
    dirichlet_alpha: float = 0.3
    temperature: float = 1.0

    @classmethod
    def of(cls, config: Search) -> "SearchOptions":
        """Returns what a config says; what it leaves out has no effect under its policy."""
        said = {name: getattr(config, name, None) for name in attrs.fields_dict(cls)}
        return cls(**{name: value for name, value in said.items() if value is not None})


class SearchResult(NamedTuple):
    """What a search found, in `N` lanes; finite, but without meaning, where a game is over."""

    action: Array
    """`[N]` int32: the action that it settles on, a legal one."""
    weights: Array
    """`[N, A]` float32: its policy, a distribution: 0 on illegal actions, 1 in all."""
    value: Array
    """`[N]` float32: what its policy is worth to the player to move, of the actions it tried."""


def noiseless(options: SearchOptions) -> SearchOptions:
    """Returns the same search without exploration: its action is the best that it found."""
    return attrs.evolve(options, gumbel_scale=0.0, dirichlet_fraction=0.0, temperature=0.0)


def search(
    options: SearchOptions,
    env: Environment[Any],
    network: Network,
    params: Params,
    model_state: ModelState,
    state: Any,
    observation: Observation,
    key: Array,
) -> SearchResult:
    """Searches the game from every lane's position, the network guiding.

    Args:
        options: How.
        env: A deterministic zero-sum game of perfect information.
        network: A network without memory.
        params: Its parameters.
        model_state: Its untrained variables.
        state: The games' states, `[N]`.
        observation: `[N, ...]`: what the player to move sees of them.
        key: A typed key, consumed.
    """
    guide = (params, model_state)
    root, illegal = root_of(network, guide, state, observation)
    step = make_step(env, network, gamma=options.gamma)
    # mctx draws from a key that it has split and, under `vmap`, from one in both branches of a
    # choice; jax's checker of reused keys follows typed keys only.
    words = jax.random.key_data(key)
    if options.policy == "gumbel_muzero":
        output: Any = mctx.gumbel_muzero_policy(
            guide,
            words,
            root,
            step,
            options.num_simulations,
            invalid_actions=illegal,
            max_num_considered_actions=options.max_num_considered_actions,
            gumbel_scale=options.gumbel_scale,
        )
    else:
        output = mctx.muzero_policy(
            guide,
            words,
            root,
            step,
            options.num_simulations,
            invalid_actions=illegal,
            dirichlet_fraction=options.dirichlet_fraction,
            dirichlet_alpha=options.dirichlet_alpha,
            temperature=options.temperature,
        )
    summary = output.search_tree.summary()
    # Not the mean over simulations: sequential halving tries bad actions as often as good ones.
    tried = jnp.where(summary.visit_counts > 0, output.action_weights, 0.0)
    total = tried.sum(axis=-1)
    value = (tried * summary.qvalues).sum(axis=-1) / jnp.where(total > 0, total, 1.0)
    # The policy of a long search may leave nothing, in float32, of all that it tried.
    value = jnp.where(total > 0, value, summary.value)
    return SearchResult(output.action, output.action_weights, value)
