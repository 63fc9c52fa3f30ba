"""Lanes and the games in them: keys, games that go on in the next iteration, values of a cut game.

Rows contract v2: lanes are carried (each game goes on in the next iteration) or fresh (every lane
begins a new game at every iteration). `final_values` says which value a seat may bootstrap from if
the rollout ends within a game.

Axis letters: T steps, N lanes, G groups.
"""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.loop.context import Context
from jaxpot.loop.streams import IMPLEMENTATION
from jaxpot.models.base import Variables
from jaxpot.models.memory import both_seats, of_seat, where_lanes

_NO_GAME = -1
"""As `Games.opponent`: nothing has been played in the lane yet."""


class Keys(NamedTuple):
    """The keys of one step, or `[G]` of them."""

    act: Array
    """The agent's decisions."""
    network: Array
    """An opponent's that is a network."""
    random: Array
    """A random opponent's."""
    env: Array
    """The games'."""


class Lanes(NamedTuple):
    """Lanes in `groups` groups with a key each, or all under one key.

    Only keys and decisions are per group. The games are played in one flat batch, which compiles in
    half the time of a batch of batches.
    """

    groups: int | None
    lanes: int

    @property
    def total(self) -> int:
        return self.lanes * (self.groups or 1)

    def split(self, key: Array, number: int) -> Array:
        """Split every group's key: `[]` gives `[number]`, `[G]` gives `[G, number]`."""
        if self.groups is None:
            return jax.random.split(key, number)
        return jax.vmap(lambda each: jax.random.split(each, number))(key)

    def each(self, key: Array) -> Array:
        """Split every group's key over its lanes: `[N]` keys."""
        return self.split(key, self.lanes).reshape(self.total)

    def step_words(self, key: Array, num_steps: int) -> Array:
        """Split every group's key over the steps: the keys' words, `[T, ...]` uint32.

        As words, since jax's checker of reused keys takes keys whose axes were moved for used ones.
        """
        words = jax.random.key_data(self.split(key, num_steps))
        return words if self.groups is None else jnp.swapaxes(words, 0, 1)

    def sums(self, x: Array) -> Array:
        """Add up over each group's lanes: `[N]` gives `[]` or `[G]`."""
        return x.sum() if self.groups is None else x.reshape(self.groups, self.lanes).sum(axis=1)


def step_keys(lanes: Lanes, words: Array, searches: Array | None) -> Keys:
    """Return a step's keys, from the words of the collector's and of the stream `search`."""
    keys = lanes.split(jax.random.wrap_key_data(words, impl=IMPLEMENTATION), 3)
    act, other, env = keys[..., 0], keys[..., 1], keys[..., 2]
    if searches is None:
        return Keys(act, other, other, env)
    pair = lanes.split(jax.random.wrap_key_data(searches, impl=IMPLEMENTATION), 2)
    return Keys(pair[..., 0], pair[..., 1], other, env)


class Games(NamedTuple):
    """The games of all lanes of a collector, between two steps or two iterations."""

    state: Any
    """The games' states, batched."""
    agent: Array
    """`[N]` int32: the agent's seat, where an opponent holds the other one."""
    length: Array
    """`[N]` int32: steps since the game began."""
    returns: Array
    """`[N, 2]` float32: what the game has paid to each seat so far."""
    memory: Any
    """`[N, 2, ...]`: what the agent remembers, for both seats; `()` without memory."""
    other_memory: Any
    """`[N, 2, ...]`: what an opponent that is a network remembers; `()` without one."""
    opponent: Array
    """`[N]` int32: the collector's number for the opponent; -1 before the first game."""


def new_games(context: Context, keys: Array, opponent: Array, *, remembers: bool) -> Games:
    """Deal a game in every lane; `agent` is left at 0.

    `keys` and `opponent` (int32, the number of each lane's opponent) are `[N]`; `remembers` says
    whether the opponent is a network.
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
    """Return the games before the first iteration: zeros, which `go_on` replaces in every lane."""

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
    """Go on with the carried games, or with the dealt one where a lane's opponent has changed."""
    return where_lanes(carried.opponent == dealt.opponent, carried, dealt)


def final_values(
    context: Context, variables: Variables, games: Games, *, both_trained: bool
) -> tuple[Array, Array]:
    """Value the cut for each seat: `[N, 2]` float32, and which may be used, `[N, 2]` bool.

    The seat to move has the network's value of what it sees. The network is never asked what a
    position is worth to the seat that is not to move, since nothing trains that. The other seat
    gets the negative of the mover's value only in a zero-sum game of perfect information in which
    the agent plays both seats. With hidden information the mover's value knows nothing of the other
    seat's, and if an opponent is to move, the value is the agent's in the opponent's place; in both
    cases the other seat has no value.

    `variables` are the agent's and `games` those at the end of the rollout; `both_trained` says
    whether the agent's policy is learned for both seats.
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
