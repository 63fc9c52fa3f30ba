"""Whole games between a policy and an opponent, one game a lane.

Axis letters: N lanes, A actions.

RNG: `k_deal, k_play = split(key)`; lane `n`'s game is dealt from `split(k_deal, N)[n]`. From
`k_play` on, each ply of the lanes whose turn it is, the agent's or the opponent's, uses
`k, k_act, k_env = split(k, 3)`: `k_act` draws every lane's action, `split(k_env, N)[n]` lane `n`'s
chance, and `k` is the next ply's.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.evaluators.players import Player
from jaxpot.games.auto_reset import where_lane
from jaxpot.games.base import Environment
from jaxpot.models.memory import Carry, where_lanes


class Games(NamedTuple):
    """How `N` games went for the agent."""

    agent_first: Array
    """`[N]` bool: the agent moved first; the first half of the lanes."""
    finished: Array
    """`[N]` bool: the game ended within `max_steps`."""
    returns: Array
    """`[N]` float32: the agent's rewards, added up over the game."""
    action_counts: Array
    """`[A]` int32: how often the agent chose each action, over all lanes."""
    state: Any
    """The batched states in which the games stopped."""


class Outcomes(NamedTuple):
    """Finished games by how they ended for the agent, scalars float32."""

    wins: Array
    draws: Array
    losses: Array


class _Lanes(NamedTuple):
    key: Array
    state: Any
    steps: Array  # [N] int32
    returns: Array  # [N] float32
    action_counts: Array  # [A] int32
    agent_carry: Carry
    opponent_carry: Carry


def play_games(
    env: Environment[Any], agent: Player, opponent: Player, key: Array, *, num_games: int
) -> Games:
    """Plays `num_games` games, half with the agent moving first, each up to `env.max_steps` steps.

    The first mover is who is to move when the game is dealt, whatever index the game gives them.

    The lanes wait for one another before every move of the agent, so the policy is evaluated on
    full batches only: half as often as in a loop over steps, where half of the lanes belong to
    the opponent. What a player carries moves on in the lanes alone in which it moves.
    """
    deal_key, play_key = jax.random.split(key)
    state = jax.vmap(env.init)(jax.random.split(deal_key, num_games))
    agent_first = jnp.arange(num_games) < num_games // 2
    first = state.current_player
    seat = jnp.where(agent_first, first, 1 - first)

    def playing(lanes: _Lanes) -> Array:
        return ~lanes.state.terminated & (lanes.steps < env.max_steps)

    def agents_turn(lanes: _Lanes) -> Array:
        return playing(lanes) & (lanes.state.current_player == seat)

    def opponents_turn(lanes: _Lanes) -> Array:
        return playing(lanes) & (lanes.state.current_player != seat)

    def ply(
        player: Player, carry: Carry, lanes: _Lanes, moves: Array
    ) -> tuple[_Lanes, Carry, Array]:
        key, act_key, env_key = jax.random.split(lanes.key, 3)
        action, moved = player.choose(lanes.state, carry, act_key)
        stepped = jax.vmap(env.step)(lanes.state, action, jax.random.split(env_key, num_games))
        paid = jnp.take_along_axis(stepped.rewards, seat[:, None], axis=1)[:, 0]
        after = lanes._replace(
            key=key,
            state=jax.vmap(where_lane)(moves, stepped, lanes.state),
            steps=lanes.steps + moves,
            returns=lanes.returns + jnp.where(moves, paid, 0.0),
        )
        return after, where_lanes(moves, moved, carry), action

    def opponent_moves(lanes: _Lanes) -> _Lanes:
        after, carry, _ = ply(opponent, lanes.opponent_carry, lanes, opponents_turn(lanes))
        return after._replace(opponent_carry=carry)

    def turn(lanes: _Lanes) -> _Lanes:
        lanes = jax.lax.while_loop(lambda lanes: opponents_turn(lanes).any(), opponent_moves, lanes)
        moves = agents_turn(lanes)
        lanes, carry, action = ply(agent, lanes.agent_carry, lanes, moves)
        counts = lanes.action_counts.at[action].add(moves.astype(jnp.int32))
        return lanes._replace(action_counts=counts, agent_carry=carry)

    start = _Lanes(
        key=play_key,
        state=state,
        steps=jnp.zeros(num_games, jnp.int32),
        returns=jnp.zeros(num_games, jnp.float32),
        action_counts=jnp.zeros(env.num_actions, jnp.int32),
        agent_carry=agent.start(num_games),
        opponent_carry=opponent.start(num_games),
    )
    end = jax.lax.while_loop(lambda lanes: playing(lanes).any(), turn, start)
    return Games(
        agent_first=agent_first,
        finished=end.state.terminated,
        returns=end.returns,
        action_counts=end.action_counts,
        state=end.state,
    )


def outcomes(games: Games) -> Outcomes:
    """Counts the finished games that the agent won, drew and lost.

    A game is won if the agent's rewards add up to more than zero, lost if to less.
    """
    return _outcomes_of(games, jnp.ones_like(games.agent_first))


def rates(games: Games, *, played: Array | None = None) -> dict[str, Array]:
    """Sums games up as float32 rates: overall, under `p0/` (agent first) and `p1/` (second).

    `win_rate`, `lose_rate`, `draw_rate` and `avg_reward` are over finished games, and NaN where
    none finished; `done_rate` is finished over started. What is won and lost, `outcomes` says.

    Args:
        games: The games.
        played: `[N]` bool: the lanes that held a game at all; every lane if not given.
    """
    everyone = jnp.ones_like(games.agent_first) if played is None else played
    parts = (
        ("", everyone),
        ("p0/", everyone & games.agent_first),
        ("p1/", everyone & ~games.agent_first),
    )
    return {
        f"{prefix}{name}": value
        for prefix, lanes in parts
        for name, value in _rates_of(games, lanes).items()
    }


def _rates_of(games: Games, lanes: Array) -> dict[str, Array]:
    over = games.finished & lanes
    finished = _count(over)
    wins, draws, losses = _outcomes_of(games, lanes)
    return {
        "win_rate": wins / finished,
        "lose_rate": losses / finished,
        "draw_rate": draws / finished,
        "avg_reward": jnp.sum(jnp.where(over, games.returns, 0.0)) / finished,
        "done_rate": finished / _count(lanes),
    }


def _outcomes_of(games: Games, lanes: Array) -> Outcomes:
    over = games.finished & lanes
    return Outcomes(
        wins=_count(over & (games.returns > 0)),
        draws=_count(over & (games.returns == 0)),
        losses=_count(over & (games.returns < 0)),
    )


def _count(condition: Array) -> Array:
    return jnp.sum(condition, dtype=jnp.float32)
