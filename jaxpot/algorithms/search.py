"""Tree search in the real game with mctx, for acting and for training targets.

Axis letters: N lanes, A actions.
"""

from typing import Any, Literal, NamedTuple

import attrs
import jax
import jax.numpy as jnp
import mctx
from jax import Array

from jaxpot.errors import UserError
from jaxpot.games.base import Environment
from jaxpot.models.base import Network, Observation, Variables
from jaxpot.spec import Search

# Type checkers see no fields in chex's dataclasses.
_RootOutput: Any = mctx.RootFnOutput
_StepOutput: Any = mctx.RecurrentFnOutput


@attrs.frozen(kw_only=True)
class SearchOptions:
    """The options of a search; those of the other policy have no effect.

    Attributes:
        policy: Danihelka et al. 2022, "Policy improvement by planning with Gumbel"; or
            Schrittwieser et al. 2020 (https://arxiv.org/abs/1911.08265), appendix B.
        num_simulations: Positions that a search adds to its tree.
        gamma: Discount per move.
        max_num_considered_actions: Most actions that `gumbel_muzero` tries at the root.
        gumbel_scale: Scale of the noise by which `gumbel_muzero` samples them.
        dirichlet_fraction: Share of noise in `muzero`'s prior at the root, 0 to 1.
        dirichlet_alpha: The noise's concentration.
        temperature: `muzero` samples an action in proportion to its visits to the power of
            `1 / temperature`; at 0 it takes the most visited one.
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
        """Return the options of a config; those it leaves out have no effect under its policy."""
        values = {name: getattr(config, name, None) for name in attrs.fields_dict(cls)}
        return cls(**{name: value for name, value in values.items() if value is not None})


class SearchResult(NamedTuple):
    """The result of a search in `N` lanes; finite but meaningless where a game is over."""

    action: Array
    """`[N]` int32: the chosen action, a legal one."""
    weights: Array
    """`[N, A]` float32: the policy of the search, a distribution; 0 on illegal actions."""
    value: Array
    """`[N]` float32: the policy's value for the player to move, over the actions tried."""


def noiseless(options: SearchOptions) -> SearchOptions:
    """Return the same search without exploration: its action is the best that it found."""
    return attrs.evolve(options, gumbel_scale=0.0, dirichlet_fraction=0.0, temperature=0.0)


def search(
    options: SearchOptions,
    env: Environment[Any],
    network: Network,
    variables: Variables,
    state: Any,
    observation: Observation,
    key: Array,
) -> SearchResult:
    """Search the game from every lane's position, guided by the network.

    Args:
        options: The options of the search.
        env: A deterministic zero-sum game of perfect information.
        network: A network without memory.
        variables: Its variables.
        state: The batched states of the games, `[N]`.
        observation: `[N, ...]`: the observation of the player to move.
        key: A typed key, consumed.
    """
    root, illegal = root_of(network, variables, state, observation)
    step = make_step(env, network, gamma=options.gamma)
    # mctx uses a key that it has split and, under `vmap`, one in both branches of a `cond`. Raw key
    # data hides that from jax's checker of reused keys, which follows typed keys only.
    words = jax.random.key_data(key)
    if options.policy == "gumbel_muzero":
        policy: Any = mctx.gumbel_muzero_policy
        more = {
            "max_num_considered_actions": options.max_num_considered_actions,
            "gumbel_scale": options.gumbel_scale,
        }
    else:
        policy = mctx.muzero_policy
        more = {
            "dirichlet_fraction": options.dirichlet_fraction,
            "dirichlet_alpha": options.dirichlet_alpha,
            "temperature": options.temperature,
        }
    output = policy(
        variables, words, root, step, options.num_simulations, invalid_actions=illegal, **more
    )
    summary = output.search_tree.summary()
    # The policy's value, not the mean over simulations: sequential halving tries bad actions as
    # often as good ones.
    tried = jnp.where(summary.visit_counts > 0, output.action_weights, 0.0)
    total = tried.sum(axis=-1)
    value = (tried * summary.qvalues).sum(axis=-1) / jnp.where(total > 0, total, 1.0)
    # After a long search the policy may be 0 in float32 on every action that was tried.
    value = jnp.where(total > 0, value, summary.value)
    return SearchResult(output.action, output.action_weights, value)


class Node(NamedTuple):
    """A position in the tree, `[N, ...]`."""

    state: Any
    """The game's states."""
    over: Array
    """`[N]` bool: the game has ended here or above; below such a node no move has an effect."""


def require_searchable(env: Environment[Any], network: Network, *, name: str) -> None:
    """Check that a game and a network allow the search of the part `name`.

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
        network: A network without memory.
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
