"""Games in play: how they go on from one iteration to the next, and their value where one stops.

Rows contract v2: lanes are carried (each game goes on in the next iteration) or fresh (every lane
begins a new game at every iteration); `final_values` says what a seat may bootstrap from where a
rollout cuts a game.

Axis letters: N lanes.
"""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.loop.context import Context
from jaxpot.models.base import Variables
from jaxpot.models.memory import both_seats, of_seat, where_lanes

_NO_GAME = -1
"""As `Games.opponent`: nothing has been played in the lane yet."""


class Games(NamedTuple):
    """The games of all lanes of a collector, between two steps or two iterations."""

    state: Any
    """The games' states, batched."""
    agent: Array
    """`[N]` int32: the agent's seat, where an opponent holds the other one."""
    length: Array
    """`[N]` int32: steps that the game has had."""
    returns: Array
    """`[N, 2]` float32: what the game has paid to each seat so far."""
    memory: Any
    """`[N, 2, ...]`: what the agent remembers, for both seats; `()` without memory."""
    other_memory: Any
    """`[N, 2, ...]`: what an opponent that is a network remembers; `()` without one."""
    opponent: Array
    """`[N]` int32: who the game is against, as a number of the collector's; -1 before any game."""


def new_games(context: Context, keys: Array, opponent: Array, *, remembers: bool) -> Games:
    """Deals a game in every lane; `agent` is left at 0.

    Args:
        context: The parts.
        keys: `[N]` keys.
        opponent: `[N]` int32: who each lane plays.
        remembers: Whether the opponent is a network.
    """
    lanes = opponent.shape[0]
    memory = both_seats(context.network.initial_carry(lanes))
    return Games(
        state=jax.vmap(context.env.init)(keys),
        agent=jnp.zeros(lanes, jnp.int32),
        length=jnp.zeros(lanes, jnp.int32),
        returns=jnp.zeros((lanes, 2)),
        memory=memory,
        other_memory=memory if remembers else (),
        opponent=opponent,
    )


def no_games(context: Context, lanes: int, *, remembers: bool) -> Games:
    """Returns the games before the first iteration: zeros, which `go_on` replaces in every lane."""

    def deal() -> Games:
        keys = jax.random.split(jax.random.key(0), lanes)
        return new_games(context, keys, jnp.zeros(lanes, jnp.int32), remembers=remembers)

    def blank(x: jax.ShapeDtypeStruct) -> Array:
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            words = jax.eval_shape(jax.random.key_data, x)
            return jax.random.wrap_key_data(
                jnp.zeros(words.shape, words.dtype), impl=jax.random.key_impl(cast(Any, x))
            )
        return jnp.zeros(x.shape, x.dtype)

    games = jax.tree.map(blank, jax.eval_shape(deal))
    return games._replace(opponent=jnp.full(lanes, _NO_GAME, jnp.int32))


def go_on(carried: Games, dealt: Games) -> Games:
    """Goes on with the carried games, or with the dealt one where a lane's opponent has changed."""
    return where_lanes(carried.opponent == dealt.opponent, carried, dealt)


def final_values(
    context: Context, variables: Variables, games: Games, *, both_trained: bool
) -> tuple[Array, Array]:
    """Values the cut for each seat: `[N, 2]` float32, and which may be used, `[N, 2]` bool.

    A seat that is to move has the network's value of what it sees. The network is never asked for
    the value of a position as the seat that is not to move sees it, since nothing trains that.
    The other seat has the negative of the mover's value if that is what it stands for: in a
    zero-sum game of perfect information in which the agent plays both seats. Where information is
    hidden, the mover's value knows nothing of what the other seat holds, and where an opponent is
    to move, the value is that of the agent in the opponent's place; there the other seat has none.

    Args:
        context: The parts.
        variables: The agent's variables.
        games: Where the rollout ends.
        both_trained: Whether the agent's policy is learned for both seats.
    """
    env, mover = context.env, games.state.current_player
    observation = jax.vmap(env.observe)(games.state, mover)
    carry = of_seat(games.memory, mover)
    own = context.network.step(variables, observation, carry)[0].value[:, None]
    seats = jnp.arange(2)[None, :]
    moves = mover[:, None] == seats
    if both_trained:
        known = moves | (env.zero_sum and env.perfect_information)
    else:
        known = moves & (games.agent[:, None] == seats)
    return jnp.where(moves, own, -own), known
