"""One rollout for every collector: lanes reset, play, and reset again where a game ends.

Axis letters: T steps, N lanes.

Below a collector's key `k` (RNG contract v1): `k_reset, k_play = split(k)`; lane `n` starts from
`split(k_reset, N)[n]`; step `t` uses `k_act, k_opponent, k_env = split(split(k_play, T)[t], 3)`,
of which `k_act` draws the agent's actions and `k_opponent` the opponent's, each for all lanes at
once, and lane `n`'s game draws from `split(k_env, N)[n]`. No other collector enters.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Algorithm, Decision, Rollout
from jaxpot.envs import Environment, auto_reset_step, uniform_legal_action
from jaxpot.loop.streams import IMPLEMENTATION
from jaxpot.models.base import ModelState, Network, Params


class Opponent(Protocol):
    """Whoever holds the seat that is not trained."""

    def __call__(self, observation: Array, legal_action_mask: Array, key: Array) -> Array:
        """Chooses `[N]` int32 actions."""
        ...


class Standing(NamedTuple):
    """How the games of a rollout went for the trained seat, against an opponent."""

    reward: Array
    """float32: sum of the trained seat's rewards over finished games; `[G]` for groups."""
    games: Array
    """int32: finished games; `[G]` for groups."""


def random_opponent(observation: Array, legal_action_mask: Array, key: Array) -> Array:
    """Plays uniformly over the legal actions."""
    del observation
    return uniform_legal_action(legal_action_mask, key)


def network_opponent(algorithm: Algorithm, network: Mapping[str, Any]) -> Opponent:
    """Plays as the agent would with the parameters and model state of `network`."""

    def choose(observation: Array, legal_action_mask: Array, key: Array) -> Array:
        return algorithm.act(
            network["params"], network["model_state"], observation, legal_action_mask, key
        ).action

    return choose


def rollout(
    key: Array,
    params: Params,
    model_state: ModelState,
    *,
    env: Environment,
    network: Network,
    algorithm: Algorithm,
    num_envs: int,
    num_steps: int,
    opponent: Opponent | None = None,
) -> tuple[Rollout, Standing]:
    """Plays `num_steps` steps in `num_envs` lanes.

    Without an opponent the agent holds both seats and both are trained. With one, the agent moves
    first in the first half of the lanes and second in the other half, in every game of the lane.
    """

    def decide(observation: Array, legal: Array, acts: Array, keys: Array) -> Decision:
        decision = algorithm.act(params, model_state, observation, legal, keys[0])
        if opponent is None:
            return decision
        other = opponent(observation, legal, keys[1])
        return decision._replace(action=jnp.where(acts, decision.action, other))

    return _play(
        key,
        params,
        model_state,
        decide,
        env=env,
        network=network,
        lanes=_Lanes(groups=None, lanes=num_envs),
        num_steps=num_steps,
        against=opponent is not None,
    )


def rollout_groups(
    key: Array,
    params: Params,
    model_state: ModelState,
    opponents: Mapping[str, Any],
    *,
    env: Environment,
    network: Network,
    algorithm: Algorithm,
    groups: int,
    lanes: int,
    num_steps: int,
) -> tuple[Rollout, Standing]:
    """Plays `groups` rollouts of `lanes` lanes side by side, each against one opponent.

    Args:
        key: The collector's key.
        params: The agent's parameters.
        model_state: The agent's untrained variables.
        opponents: The opponents' networks: every leaf `[G, ...]`.
        env: The game.
        network: The agent's network, and the opponents'.
        algorithm: How all of them act.
        groups: G.
        lanes: Lanes a group; even.
        num_steps: T.

    Returns:
        The rollout of all `G * lanes` lanes, and each group's standing, `[G]`.
    """

    def decide(observation: Array, legal: Array, acts: Array, keys: Array) -> Decision:
        def group(observation, legal, acts, keys, other):
            decision = algorithm.act(params, model_state, observation, legal, keys[0])
            action = network_opponent(algorithm, other)(observation, legal, keys[1])
            return decision._replace(action=jnp.where(acts, decision.action, action))

        def by_group(x: Array) -> Array:
            return x.reshape(groups, lanes, *x.shape[1:])

        decision = jax.vmap(group)(
            by_group(observation), by_group(legal), by_group(acts), keys, opponents
        )
        return jax.tree.map(lambda x: x.reshape(groups * lanes, *x.shape[2:]), decision)

    return _play(
        jax.random.split(key, groups + 1)[1:],
        params,
        model_state,
        decide,
        env=env,
        network=network,
        lanes=_Lanes(groups=groups, lanes=lanes),
        num_steps=num_steps,
        against=True,
    )


class _Lanes(NamedTuple):
    """How lanes are arranged: in `groups` groups with a key each, or all under one key.

    Only keys and decisions know of groups; the games are played in one flat batch, which compiles
    in half the time that a batch of batches takes.
    """

    groups: int | None
    lanes: int

    @property
    def total(self) -> int:
        """N."""
        return self.lanes * (self.groups or 1)

    def split(self, key: Array, number: int) -> Array:
        """Splits every group's key: `[]` gives `[number]`, `[G]` gives `[G, number]`."""
        if self.groups is None:
            return jax.random.split(key, number)
        return jax.vmap(lambda each: jax.random.split(each, number))(key)

    def each(self, key: Array) -> Array:
        """Splits every group's key over its lanes: `[N]` keys."""
        return self.split(key, self.lanes).reshape(self.total)

    def step_words(self, key: Array, num_steps: int) -> Array:
        """Splits every group's key over the steps: the keys' words, `[T, ...]` uint32.

        As words, since jax's checker of reused keys takes keys whose axes were moved for used ones.
        """
        words = jax.random.key_data(self.split(key, num_steps))
        return words if self.groups is None else jnp.swapaxes(words, 0, 1)

    def sums(self, x: Array) -> Array:
        """Adds up over each group's lanes: `[N]` gives `[]` or `[G]`."""
        return x.sum() if self.groups is None else x.reshape(self.groups, self.lanes).sum(axis=1)


def _play(
    key: Array,
    params: Params,
    model_state: ModelState,
    decide: Callable[[Array, Array, Array, Array], Decision],
    *,
    env: Environment,
    network: Network,
    lanes: _Lanes,
    num_steps: int,
    against: bool,
) -> tuple[Rollout, Standing]:
    """Plays all lanes; `decide` is given observations, legal moves, who acts, and `split(k, 3)`.

    Returns:
        The rollout, and the standing of each group or of all.
    """
    pair = lanes.split(key, 2)
    reset_key, play_key = pair[..., 0], pair[..., 1]
    state = jax.vmap(env.init)(lanes.each(reset_key))
    agent_first = jnp.arange(lanes.total) % lanes.lanes < lanes.lanes // 2

    def agent_seat(first_mover: Array) -> Array:
        return jnp.where(agent_first, first_mover, 1 - first_mover)

    def step(carry, words):
        state, agent, returns = carry
        keys = lanes.split(jax.random.wrap_key_data(words, impl=IMPLEMENTATION), 3)
        seat = state.current_player
        acts = seat == agent if against else jnp.ones_like(agent, jnp.bool_)
        observation = jax.vmap(env.observe)(state, seat)
        decision = decide(observation, state.legal_action_mask, acts, keys)
        after = jax.vmap(lambda s, a, k: auto_reset_step(env, s, a, k))(
            state, decision.action, lanes.each(keys[..., 2])
        )
        reward, done = after.rewards, after.terminated
        returns = returns + reward
        agents_return = jnp.take_along_axis(returns, agent[:, None], axis=1)[:, 0]
        row = (
            Rollout(
                observation=observation,
                legal_action_mask=state.legal_action_mask,
                action=decision.action,
                seat=seat,
                trained=acts,
                reward=reward,
                done=done,
                trained_seats=jnp.full_like(seat, 1 if against else 2),
                extras=decision.extras,
                final_value=jnp.zeros(()),
                final_known=jnp.zeros(()),
            ),
            Standing(
                lanes.sums(jnp.where(done, agents_return, 0.0)),
                lanes.sums(done.astype(jnp.int32)),
            ),
        )
        agent = jnp.where(done, agent_seat(after.state.current_player), agent)
        returns = jnp.where(done[:, None], 0.0, returns)
        return (after.state, agent, returns), row

    start = (state, agent_seat(state.current_player), jnp.zeros((lanes.total, 2)))
    (state, agent, _), (rows, standing) = jax.lax.scan(
        step, start, lanes.step_words(play_key, num_steps)
    )
    held = jnp.ones((lanes.total, 2), jnp.bool_)
    if against:
        held = agent[:, None] == jnp.arange(2)[None, :]
    value, known = _final_values(params, model_state, env=env, network=network, state=state)
    rows = rows._replace(final_value=value, final_known=known & held)
    return rows, jax.tree.map(lambda x: x.sum(axis=0, dtype=x.dtype), standing)


def _final_values(params, model_state, *, env: Environment, network: Network, state):
    """Values the cut for each seat: `[N, 2]` float32, and whether each may be used, `[N, 2]` bool.

    Where a game shows only the mover's view, the other seat takes the negative of the mover's
    value if the game is two-player zero-sum, and has none otherwise.
    """

    def value_of(seat: Array) -> Array:
        observation = jax.vmap(env.observe)(state, seat)
        return network.apply(params, model_state, observation)[1]

    mover = state.current_player
    moves = mover[:, None] == jnp.arange(2)[None, :]
    if env.both_views:
        seats = jnp.zeros_like(mover)
        value = jnp.stack([value_of(seats), value_of(seats + 1)], axis=1)
        return value, jnp.ones_like(moves)
    own = value_of(mover)[:, None]
    if env.zero_sum:
        return jnp.where(moves, own, -own), jnp.ones_like(moves)
    return jnp.where(moves, own, 0.0), moves
