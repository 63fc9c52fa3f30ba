"""Whole games between an agent and an opponent, one game per lane, and statistics of them.

Axis letters: N lanes, A actions.

RNG: `k_deal, k_play = split(key)`; lane `n`'s game is dealt from `split(k_deal, N)[n]`. From
`k_play` on, each ply, of all lanes with the agent to move or of all with the opponent to move, uses
`k, k_act, k_env = split(k, 3)`: `k_act` draws every lane's action, `split(k_env, N)[n]` lane `n`'s
chance, and `k` is for the next ply.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.evaluators.players import Player
from jaxpot.games.base import Environment, where_lane
from jaxpot.models.memory import Carry, where_lanes

_POINTS_PER_DECADE = 400.0
"""Elo points that stand for odds of 10 to 1."""


class Games(NamedTuple):
    """The results of `N` games for the agent."""

    agent_first: Array
    """`[N]` bool: the agent moved first, which it does in the first half of the lanes."""
    finished: Array
    """`[N]` bool: the game ended within `max_steps`."""
    returns: Array
    """`[N]` float32: the sum of the agent's rewards over the game."""
    action_counts: Array
    """`[A]` int32: how often the agent chose each action, in all lanes."""
    state: Any
    """The batched states in which the games stopped."""


class Outcomes(NamedTuple):
    """Numbers of finished games by their result for the agent, float32 scalars."""

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
    """Play `num_games` games, half with the agent moving first, each up to `env.max_steps` steps.

    The first mover is the player to move when the game is dealt, whatever its index in the game.

    The lanes wait for one another before every move of the agent, so the agent is evaluated on full
    batches only: half as often as in a loop over steps, where in half of the lanes the opponent is
    to move. A player's carry changes only in the lanes in which it moves.
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
        action, next_carry = player.choose(lanes.state, carry, act_key)
        stepped = jax.vmap(env.step)(lanes.state, action, jax.random.split(env_key, num_games))
        paid = jnp.take_along_axis(stepped.rewards, seat[:, None], axis=1)[:, 0]
        after = lanes._replace(
            key=key,
            state=jax.vmap(where_lane)(moves, stepped, lanes.state),
            steps=lanes.steps + moves,
            returns=lanes.returns + jnp.where(moves, paid, 0.0),
        )
        return after, where_lanes(moves, next_carry, carry), action

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


def outcomes(games: Games, *, lanes: Array | None = None) -> Outcomes:
    """Count the finished games that the agent won, drew and lost, in all or in some lanes.

    A game is won if the agent's rewards add up to more than zero, lost if to less.
    """
    over = games.finished if lanes is None else games.finished & lanes
    return Outcomes(
        wins=_count(over & (games.returns > 0)),
        draws=_count(over & (games.returns == 0)),
        losses=_count(over & (games.returns < 0)),
    )


def rates(games: Games, *, played: Array | None = None) -> dict[str, Array]:
    """Summarise games as float32 rates: overall, under `p0/` (agent first) and `p1/` (second).

    `win_rate`, `lose_rate`, `draw_rate` and `avg_reward` are over finished games, and NaN if none
    finished; `done_rate` is finished over started. `outcomes` defines a win and a loss.

    Args:
        games: The games.
        played: `[N]` bool: the lanes with a game; all lanes if None.
    """
    everyone = jnp.ones_like(games.agent_first) if played is None else played
    first, second = everyone & games.agent_first, everyone & ~games.agent_first
    found: dict[str, Array] = {}
    for prefix, lanes in (("", everyone), ("p0/", first), ("p1/", second)):
        over = games.finished & lanes
        finished = _count(over)
        wins, draws, losses = outcomes(games, lanes=lanes)
        found |= {
            f"{prefix}win_rate": wins / finished,
            f"{prefix}lose_rate": losses / finished,
            f"{prefix}draw_rate": draws / finished,
            f"{prefix}avg_reward": jnp.sum(jnp.where(over, games.returns, 0.0)) / finished,
            f"{prefix}done_rate": finished / _count(lanes),
        }
    return found


def _count(condition: Array) -> Array:
    return jnp.sum(condition, dtype=jnp.float32)


class EloDifference(NamedTuple):
    """A difference in Elo points, float32 arrays of one shape."""

    elo: Array
    """Above zero if the first player is the stronger one."""
    stderr: Array
    """Standard error of `elo`."""


def elo_difference(wins: Array, draws: Array, losses: Array) -> EloDifference:
    """Estimate the difference in Elo from how `n = wins + draws + losses` games ended.

    With the mean score `s = (wins + draws / 2) / n`, the difference is that at which the logistic
    Elo model expects `s`: `400 log10(s / (1 - s))` (A. E. Elo, "The Rating of Chessplayers, Past
    and Present", 1978; https://www.chessprogramming.org/Match_Statistics, "Elo-Rating"). Its
    standard error follows from that of `s` by the delta method (G. Casella and R. L. Berger,
    "Statistical Inference", 2002, section 5.5.4):
    `400 / (ln(10) s (1 - s)) * sqrt(v / n)`, where
    `v = (wins (1 - s)^2 + draws (1/2 - s)^2 + losses s^2) / n` is the variance of a game's score.

    The games count as independent. If the players' strength depends on who moves first, and each
    moved first in half of the games, the standard error is somewhat too large, never too small.

    Args:
        wins: Games won, `[...]` of any number dtype.
        draws: Games drawn, the same.
        losses: Games lost, the same.

    Returns:
        The difference and its standard error. If all games were won, the difference is infinite, if
        all were lost, minus infinity, and the standard error is infinite: such games bound the
        difference on one side only. If all were drawn, both are 0. Without a game both are NaN.
    """
    wins, draws, losses = (jnp.asarray(x, jnp.float32) for x in (wins, draws, losses))
    games = wins + draws + losses
    # Two sums, for the score and its complement, so that neither loses digits near 0 or 1.
    won, lost = wins + draws / 2, losses + draws / 2
    mean, rest = won / games, lost / games
    variance = (wins * rest**2 + draws * ((rest - mean) / 2) ** 2 + losses * mean**2) / games
    slope = _POINTS_PER_DECADE / (math.log(10) * mean * rest)
    one_sided = (games > 0) & (won * lost == 0)
    return EloDifference(
        elo=_POINTS_PER_DECADE * jnp.log10(won / lost),
        stderr=jnp.where(one_sided, jnp.inf, slope * jnp.sqrt(variance / games)),
    )
