"""One rollout for every collector: lanes reset, play, and reset again where a game ends.

Axis letters: T steps, N lanes, G groups of L lanes.

Below a collector's key `k` (RNG contract v1): `k_reset, k_play = split(k)`; lane `n` starts from
`split(k_reset, N)[n]`; step `t` uses `k_act, k_opponent, k_env = split(split(k_play, T)[t], 3)`,
of which `k_act` draws the agent's actions and `k_opponent` the opponent's, each for all lanes at
once, and lane `n`'s game draws from `split(k_env, N)[n]`. No other collector enters.

An algorithm that searches has a key `s` of the stream `search` besides: step `t` then uses
`k_act, k_opponent = split(split(s, T)[t])` for the agent and for an opponent that is a network.
Group `g` of `G` has the keys `split(k, G + 1)[1 + g]` and `split(s, G)[g]` for `k` and `s`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Decision, Rollout, View
from jaxpot.auxiliary import record_states
from jaxpot.envs import auto_reset_step, uniform_legal_action
from jaxpot.loop.context import Context
from jaxpot.loop.cut import final_values
from jaxpot.loop.lanes import Keys, Lanes, step_keys
from jaxpot.models.base import ModelState, Params
from jaxpot.models.memory import both_seats, of_seat, where_lanes, with_seat


class Standing(NamedTuple):
    """How the games of a rollout went for the trained seat, against an opponent."""

    reward: Array
    """float32: sum of the trained seat's rewards over finished games; `[G]` for groups."""
    games: Array
    """int32: finished games; `[G]` for groups."""


class Chosen(NamedTuple):
    """What was decided in all lanes of a step."""

    agent: Decision
    """The agent's, in the lanes too in which it does not move."""
    opponent: Decision | None
    """The opponent's, likewise; None where there is none."""


Against = Literal["random", "network"] | None
"""Who holds the seat that is not the agent's; None where the agent holds both."""

Decide = Callable[[View, Any, Keys], Chosen]
"""Decides by the agent's view, what the opponent carries into the decision, and the keys."""


def rollout(
    context: Context,
    key: Array,
    params: Params,
    model_state: ModelState,
    *,
    num_envs: int,
    opponent: Mapping[str, Any] | None = None,
    random: bool = False,
    search_key: Array | None = None,
) -> tuple[Rollout, Standing]:
    """Plays `num_envs` lanes.

    Without an opponent the agent holds both seats and both are trained. With one, the agent moves
    first in the first half of the lanes and second in the other half, in every game of the lane.

    Args:
        context: The parts; the experiment says how many steps.
        key: The collector's key.
        params: The agent's parameters.
        model_state: The agent's untrained variables.
        num_envs: N.
        opponent: The network, `params` and `model_state`, that holds the other seat, if one does.
        random: Whether uniformly random moves hold it.
        search_key: The collector's key of the stream `search`, of an algorithm that searches.

    Returns:
        The rollout, and its standing.
    """
    algorithm = context.algorithm

    def decide(view: View, other_carry: Any, keys: Keys) -> Chosen:
        agent = algorithm.act(params, model_state, view, keys.act)
        other = None
        if random:
            other = Decision(uniform_legal_action(view.legal_action_mask, keys.random), {})
        elif opponent is not None:
            view = view._replace(carry=other_carry)
            other = algorithm.oppose(
                opponent["params"], opponent["model_state"], view, keys.network
            )
        return Chosen(agent, other)

    return _play(
        context,
        key,
        params,
        model_state,
        decide,
        lanes=Lanes(groups=None, lanes=num_envs),
        against="random" if random else "network" if opponent is not None else None,
        search_key=search_key,
    )


def rollout_groups(
    context: Context,
    key: Array,
    params: Params,
    model_state: ModelState,
    opponents: Mapping[str, Any],
    *,
    groups: int,
    lanes: int,
    search_key: Array | None = None,
) -> tuple[Rollout, Standing]:
    """Plays `groups` rollouts of `lanes` lanes side by side, each against one opponent.

    Args:
        context: The parts; the experiment says how many steps.
        key: The collector's key.
        params: The agent's parameters.
        model_state: The agent's untrained variables.
        opponents: The opponents' networks: every leaf `[G, ...]`.
        groups: G.
        lanes: L, even.
        search_key: The collector's key of the stream `search`, of an algorithm that searches.

    Returns:
        The rollout of all `G * L` lanes, and each group's standing, `[G]`.
    """
    algorithm = context.algorithm

    def group(view: View, other_carry: Any, act_key: Array, network_key: Array, other: Any):
        agent = algorithm.act(params, model_state, view, act_key)
        view = view._replace(carry=other_carry)
        opponent = algorithm.oppose(other["params"], other["model_state"], view, network_key)
        return Chosen(agent, opponent)

    def decide(view: View, other_carry: Any, keys: Keys) -> Chosen:

        def by_group(x: Array) -> Array:
            return x.reshape(groups, lanes, *x.shape[1:])

        view, other_carry = jax.tree.map(by_group, (view, other_carry))
        chosen = jax.vmap(group)(view, other_carry, keys.act, keys.network, opponents)
        return jax.tree.map(lambda x: x.reshape(groups * lanes, *x.shape[2:]), chosen)

    return _play(
        context,
        jax.random.split(key, groups + 1)[1:],
        params,
        model_state,
        decide,
        lanes=Lanes(groups=groups, lanes=lanes),
        against="network",
        search_key=None if search_key is None else jax.random.split(search_key, groups),
    )


class _Lane(NamedTuple):
    """What goes from step to step, of all lanes."""

    state: Any
    agent: Array  # [N] int32: the agent's seat
    returns: Array  # [N, 2] float32
    memory: Any  # [N, 2, ...]: the agent's, of both seats
    other_memory: Any  # [N, 2, ...]: the opponent's


def _play(
    context: Context,
    key: Array,
    params: Params,
    model_state: ModelState,
    decide: Decide,
    *,
    lanes: Lanes,
    against: Against,
    search_key: Array | None,
) -> tuple[Rollout, Standing]:
    """Plays all lanes.

    Returns:
        The rollout, and the standing of each group or of all.
    """
    pair = lanes.split(key, 2)
    reset_key, play_key = pair[..., 0], pair[..., 1]
    state = jax.vmap(context.env.init)(lanes.each(reset_key))
    fresh = both_seats(context.network.initial_carry(lanes.total))
    start = _Lane(
        state=state,
        agent=_agent_seat(lanes, state.current_player),
        returns=jnp.zeros((lanes.total, 2)),
        memory=fresh,
        other_memory=fresh if against == "network" else (),
    )
    num_steps = context.experiment.collect.num_steps
    words = lanes.step_words(play_key, num_steps)
    searches = None if search_key is None else lanes.step_words(search_key, num_steps)
    step = _stepper(context, decide, start, lanes=lanes, against=against)
    end, (rows, standing) = jax.lax.scan(step, start, (words, searches))
    held = jnp.ones((lanes.total, 2), jnp.bool_)
    if against is not None and not _learns_from(context, against):
        held = end.agent[:, None] == jnp.arange(2)[None, :]
    value, known = final_values(context, params, model_state, end.state, end.memory)
    rows = rows._replace(final_value=value, final_known=known & held)
    return rows, jax.tree.map(lambda x: x.sum(axis=0, dtype=x.dtype), standing)


def _stepper(
    context: Context, decide: Decide, start: _Lane, *, lanes: Lanes, against: Against
) -> Callable[[_Lane, Any], tuple[_Lane, tuple[Rollout, Standing]]]:
    """Returns the function that plays one step in all lanes; `start` has the empty memories."""
    env, shared = context.env, _learns_from(context, against)

    def step(lane: _Lane, words):
        state, agent, seat = lane.state, lane.agent, lane.state.current_player
        keys = step_keys(lanes, *words)
        acts = jnp.ones_like(agent, jnp.bool_) if against is None else seat == agent
        view = View(
            state=state,
            observation=jax.vmap(env.observe)(state, seat),
            legal_action_mask=state.legal_action_mask,
            carry=of_seat(lane.memory, seat),
        )
        decision, other = decide(view, of_seat(lane.other_memory, seat), keys)
        action, other_memory = decision.action, lane.other_memory
        if other is not None:
            action = jnp.where(acts, action, other.action)
            other_memory = with_seat(other_memory, seat, other.carry)
        after = jax.vmap(lambda s, a, k: auto_reset_step(env, s, a, k))(
            state, action, lanes.each(keys.env)
        )
        reward, done = after.rewards, after.terminated
        returns = lane.returns + reward
        agents_return = jnp.take_along_axis(returns, agent[:, None], axis=1)[:, 0]
        row = (
            Rollout(
                observation=view.observation,
                legal_action_mask=view.legal_action_mask,
                action=action,
                seat=seat,
                trained=jnp.ones_like(acts) if shared else acts,
                reward=reward,
                done=done,
                trained_seats=jnp.full_like(seat, 2 if against is None or shared else 1),
                extras=decision.extras,
                final_value=jnp.zeros(()),
                final_known=jnp.zeros(()),
                memory=lane.memory,
                recorded=record_states(context.auxiliary, env, state),
                behaviour={"acted": acts, **other.extras} if shared and other is not None else {},
            ),
            Standing(
                lanes.sums(jnp.where(done, agents_return, 0.0)),
                lanes.sums(done.astype(jnp.int32)),
            ),
        )
        following = _Lane(
            state=after.state,
            agent=jnp.where(done, _agent_seat(lanes, after.state.current_player), agent),
            returns=jnp.where(done[:, None], 0.0, returns),
            memory=where_lanes(done, start.memory, with_seat(lane.memory, seat, decision.carry)),
            other_memory=where_lanes(done, start.other_memory, other_memory),
        )
        return following, row

    return step


def _learns_from(context: Context, against: Against) -> bool:
    """Says whether the opponent's moves are learned from too, as some algorithms can."""
    return against == "network" and context.algorithm.off_policy


def _agent_seat(lanes: Lanes, first_mover: Array) -> Array:
    """Returns the agent's seat in games that begin: first in the first half of a group's lanes."""
    agent_first = jnp.arange(lanes.total) % lanes.lanes < lanes.lanes // 2
    return jnp.where(agent_first, first_mover, 1 - first_mover)
