"""One rollout for every collector: lanes play on, and begin a new game where one ends.

Axis letters: T steps, N lanes, G groups of L lanes.

Below a collector's key `k` (RNG contract v1): `k_reset, k_play = split(k)`; a lane `n` that begins
anew with the iteration deals its game from `split(k_reset, N)[n]`; step `t` uses
`k_act, k_opponent, k_env = split(split(k_play, T)[t], 3)`, of which `k_act` draws the agent's
actions and `k_opponent` the opponent's, each for all lanes at once, and lane `n`'s game draws from
`split(k_env, N)[n]`. No other collector enters.

An algorithm that searches also has a key `s` of the stream `search`: step `t` then uses
`k_act, k_opponent = split(split(s, T)[t])` for the agent and for an opponent that is a network.
Group `g` of `G` has the keys `split(k, G + 1)[1 + g]` and `split(s, G)[g]` for `k` and `s`.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.auxiliary import record_states
from jaxpot.algorithms.base import Decision, Rollout, View
from jaxpot.games import auto_reset_step, uniform_legal_action
from jaxpot.loop.context import Context
from jaxpot.loop.games import Games, final_values, go_on, new_games
from jaxpot.loop.lanes import Keys, Lanes, step_keys
from jaxpot.models.base import Variables
from jaxpot.models.memory import of_seat, where_lanes, with_seat


class Standing(NamedTuple):
    """How the games of a rollout went for the trained seat, against an opponent."""

    reward: Array
    """float32: sum of the trained seat's rewards over finished games; `[G]` for groups."""
    games: Array
    """int32: finished games; `[G]` for groups."""


class Played(NamedTuple):
    """What a collector's rollout gives."""

    rows: Rollout
    standing: Standing
    games: Games
    """Where the lanes stand after it."""


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
    variables: Variables,
    *,
    num_envs: int,
    opponent: Variables | None = None,
    random: bool = False,
    search_key: Array | None = None,
    games: Games | None = None,
) -> Played:
    """Plays `num_envs` lanes.

    Without an opponent the agent holds both seats and both are trained. With one, the agent moves
    first in the first half of the lanes and second in the other half, in every game of the lane.

    Args:
        context: The parts; the experiment says how many steps.
        key: The collector's key.
        variables: The agent's variables.
        num_envs: N.
        opponent: The variables of the network that holds the other seat, if one does.
        random: Whether uniformly random moves hold it.
        search_key: The collector's key of the stream `search`, of an algorithm that searches.
        games: The games to go on with; None where every lane begins a new one.
    """
    algorithm = context.algorithm

    def decide(view: View, other_carry: Any, keys: Keys) -> Chosen:
        agent = algorithm.act(variables, view, keys.act)
        other = None
        if random:
            other = Decision(uniform_legal_action(view.legal_action_mask, keys.random), {})
        elif opponent is not None:
            view = view._replace(carry=other_carry)
            other = algorithm.act_as_opponent(opponent, view, keys.network)
        return Chosen(agent, other)

    return _play(
        context,
        key,
        variables,
        decide,
        lanes=Lanes(groups=None, lanes=num_envs),
        against="random" if random else "network" if opponent is not None else None,
        numbers=jnp.zeros(num_envs, jnp.int32),
        search_key=search_key,
        games=games,
    )


def rollout_groups(
    context: Context,
    key: Array,
    variables: Variables,
    opponents: Variables,
    *,
    groups: int,
    lanes: int,
    numbers: Array,
    search_key: Array | None = None,
    games: Games | None = None,
) -> Played:
    """Plays `groups` rollouts of `lanes` lanes side by side, each against one opponent.

    Args:
        context: The parts; the experiment says how many steps.
        key: The collector's key.
        variables: The agent's variables.
        opponents: The opponents' variables: every leaf `[G, ...]`.
        groups: G.
        lanes: L, even.
        numbers: `[G]` int32: a number for each opponent, 0 or more. A lane whose opponent has
            another number than in `games` begins a new game.
        search_key: The collector's key of the stream `search`, of an algorithm that searches.
        games: The games to go on with; None where every lane begins a new one.

    Returns:
        The rollout of all `G * L` lanes; the standing is each group's, `[G]`.
    """
    algorithm = context.algorithm

    def group(view: View, other_carry: Any, act_key: Array, network_key: Array, other: Variables):
        agent = algorithm.act(variables, view, act_key)
        view = view._replace(carry=other_carry)
        opponent = algorithm.act_as_opponent(other, view, network_key)
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
        variables,
        decide,
        lanes=Lanes(groups=groups, lanes=lanes),
        against="network",
        numbers=jnp.repeat(numbers, lanes),
        search_key=None if search_key is None else jax.random.split(search_key, groups),
        games=games,
    )


def _play(
    context: Context,
    key: Array,
    variables: Variables,
    decide: Decide,
    *,
    lanes: Lanes,
    against: Against,
    numbers: Array,
    search_key: Array | None,
    games: Games | None,
) -> Played:
    """Plays all lanes; `numbers` `[N]` int32 stands for each lane's opponent."""
    pair = lanes.split(key, 2)
    reset_key, play_key = pair[..., 0], pair[..., 1]
    dealt = new_games(context, lanes.each(reset_key), numbers, remembers=against == "network")
    dealt = dealt._replace(agent=_agent_seat(lanes, dealt.state.current_player))
    start = dealt if games is None else go_on(games, dealt)
    num_steps = context.experiment.collect.num_steps
    words = lanes.step_words(play_key, num_steps)
    searches = None if search_key is None else lanes.step_words(search_key, num_steps)
    step = _stepper(context, decide, dealt, lanes=lanes, against=against)
    end, (rows, standing) = jax.lax.scan(step, start, (words, searches))
    both = against is None or _learns_from(context, against)
    value, known = final_values(context, variables, end, both_trained=both)
    rows = rows._replace(final_value=value, bootstrap_mask=known)
    standing = jax.tree.map(lambda x: x.sum(axis=0, dtype=x.dtype), standing)
    return Played(rows, standing, end)


def _stepper(
    context: Context, decide: Decide, dealt: Games, *, lanes: Lanes, against: Against
) -> Callable[[Games, Any], tuple[Games, tuple[Rollout, Standing]]]:
    """Returns the function that plays one step in all lanes; `dealt` has the empty memories."""
    env, shared = context.env, _learns_from(context, against)

    def step(lane: Games, words):
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
                length=lane.length,
                trained_seats=jnp.full_like(seat, 2 if against is None or shared else 1),
                extras=decision.extras,
                final_value=jnp.zeros(()),
                bootstrap_mask=jnp.zeros(()),
                memory=lane.memory,
                recorded=record_states(context.auxiliary, env, state),
                behaviour={"acted": acts, **other.extras} if shared and other is not None else {},
            ),
            Standing(
                lanes.sums(jnp.where(done, agents_return, 0.0)),
                lanes.sums(done.astype(jnp.int32)),
            ),
        )
        following = Games(
            state=after.state,
            agent=jnp.where(done, _agent_seat(lanes, after.state.current_player), agent),
            length=jnp.where(done, 0, lane.length + 1),
            returns=jnp.where(done[:, None], 0.0, returns),
            memory=where_lanes(done, dealt.memory, with_seat(lane.memory, seat, decision.carry)),
            other_memory=where_lanes(done, dealt.other_memory, other_memory),
            opponent=lane.opponent,
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
