"""One rollout for every collector: lanes reset, play, and reset again where a game ends.

Axis letters: T steps, N lanes.

Below a collector's key `k` (RNG contract v1): `k_reset, k_play = split(k)`; lane `n` starts from
`split(k_reset, N)[n]`; step `t` uses `k_act, k_opponent, k_env = split(split(k_play, T)[t], 3)`,
of which `k_act` draws the agent's actions and `k_opponent` the opponent's, each for all lanes at
once, and lane `n`'s game draws from `split(k_env, N)[n]`. No other collector enters.
"""

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Algorithm, Decision, Rollout
from jaxpot.envs import Environment, auto_reset_step, uniform_legal_action
from jaxpot.models.base import ModelState, Network, Params


class Opponent(Protocol):
    """Whoever holds the seat that is not trained."""

    def __call__(self, observation: Array, legal_action_mask: Array, key: Array) -> Array:
        """Chooses `[N]` int32 actions."""
        ...


class Standing(NamedTuple):
    """How the games of a rollout went for the trained seat, against an opponent."""

    reward: Array
    """float32: sum of the trained seat's rewards over finished games."""
    games: Array
    """int32: finished games."""


def random_opponent(observation: Array, legal_action_mask: Array, key: Array) -> Array:
    """Plays uniformly over the legal actions."""
    del observation
    return uniform_legal_action(legal_action_mask, key)


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
    reset_key, play_key = jax.random.split(key)
    state = jax.vmap(env.init)(jax.random.split(reset_key, num_envs))
    agent_first = jnp.arange(num_envs) < num_envs // 2

    def agent_seat(first_mover: Array) -> Array:
        return jnp.where(agent_first, first_mover, 1 - first_mover)

    def decide(observation: Array, legal: Array, acts: Array, keys: Array) -> Decision:
        decision = algorithm.act(params, model_state, observation, legal, keys[0])
        if opponent is None:
            return decision
        other = opponent(observation, legal, keys[1])
        return decision._replace(action=jnp.where(acts, decision.action, other))

    def step(carry, key):
        state, agent, returns = carry
        keys = jax.random.split(key, 3)
        seat = state.current_player
        acts = jnp.ones_like(agent, jnp.bool_) if opponent is None else seat == agent
        observation = jax.vmap(env.observe)(state, seat)
        decision = decide(observation, state.legal_action_mask, acts, keys)
        after = jax.vmap(lambda s, a, k: auto_reset_step(env, s, a, k))(
            state, decision.action, jax.random.split(keys[2], num_envs)
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
                trained_seats=jnp.full_like(seat, 2 if opponent is None else 1),
                extras=decision.extras,
                final_value=jnp.zeros(()),
                final_known=jnp.zeros(()),
            ),
            Standing(jnp.where(done, agents_return, 0.0).sum(), done.sum(dtype=jnp.int32)),
        )
        agent = jnp.where(done, agent_seat(after.state.current_player), agent)
        returns = jnp.where(done[:, None], 0.0, returns)
        return (after.state, agent, returns), row

    start = (state, agent_seat(state.current_player), jnp.zeros((num_envs, 2)))
    step_keys = jax.random.split(play_key, num_steps)
    (state, agent, _), (rows, standing) = jax.lax.scan(step, start, step_keys)
    held = jnp.ones((num_envs, 2), jnp.bool_)
    if opponent is not None:
        held = agent[:, None] == jnp.arange(2)[None, :]
    value, known = _final_values(params, model_state, env=env, network=network, state=state)
    rows = rows._replace(final_value=value, final_known=known & held)
    return rows, Standing(standing.reward.sum(), standing.games.sum(dtype=jnp.int32))


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
