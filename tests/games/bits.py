"""A small game of two cards and four plies, whose values are counted by hand under random play.

Each player is dealt a card from 0 to 2; in turn they name a bit, four bits in all. After every ply
the mover is paid a quarter of what its own card has to do with the bit, so that rewards fall along
the way; at the end the higher card wins what the bits have raised the stake to.
"""

import dataclasses
import itertools
from typing import Any

import attrs
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

PLIES, CARDS = 4, 3


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class BitsState:
    """Cards by player, bits by ply (-1 for none yet), and the fields of every state."""

    cards: Array
    bits: Array
    first: Array
    current_player: Array
    rewards: Array
    terminated: Array

    @property
    def legal_action_mask(self) -> Array:
        return jnp.ones((*jnp.shape(self.current_player), 2), jnp.bool_)


@attrs.frozen(kw_only=True, eq=False)
class Bits:
    """`hidden`: a player sees its own card only. `zero_sum`: what one is paid, the other pays."""

    hidden: bool = False
    zero_sum: bool = True
    num_players: int = 2
    num_actions: int = 2
    observation_shape: tuple[int, ...] = (1,)
    observation_dtype: np.dtype[Any] = attrs.field(factory=lambda: np.dtype("int32"))
    max_steps: int = PLIES
    both_views: bool = True
    deterministic: bool = True

    @property
    def perfect_information(self) -> bool:
        return not self.hidden

    def init(self, key: Array) -> BitsState:
        deal_key, first_key = jax.random.split(key)
        first = jax.random.bernoulli(first_key).astype(jnp.int32)
        return BitsState(
            cards=jax.random.randint(deal_key, (2,), 0, CARDS),
            bits=jnp.full(PLIES, -1, jnp.int32),
            first=first,
            current_player=first,
            rewards=jnp.zeros(2),
            terminated=jnp.bool_(False),
        )

    def step(self, state: BitsState, action: Array, key: Array) -> BitsState:
        del key
        ply = (state.bits >= 0).sum()
        bits = jnp.where(jnp.arange(PLIES) == ply, action, state.bits)
        mover, over = state.current_player, ply == PLIES - 1
        own = state.cards[mover]
        paid = jnp.where(action == 1, 0.25 * (own - 1.0), 0.0)
        stake = 0.5 + 0.25 * (bits == 1).sum()
        better = jnp.sign(own - state.cards[1 - mover]).astype(jnp.float32)
        gain = paid + jnp.where(over, stake * better, 0.0)
        other = -gain if self.zero_sum else 0.5 * gain
        return BitsState(
            cards=state.cards,
            bits=bits,
            first=state.first,
            current_player=1 - mover,
            rewards=jnp.where(jnp.arange(2) == mover, gain, other),
            terminated=over,
        )

    def observe(self, state: BitsState, player: Array) -> Array:
        """Numbers what `player` knows: 16 histories of bits, and one or both cards."""
        ply = (state.bits >= 0).sum()
        history = jnp.where(state.bits == 1, 2 ** jnp.arange(PLIES), 0).sum()
        own, other = state.cards[player], state.cards[1 - player]
        seen = own if self.hidden else own * CARDS + other
        return (((seen * PLIES) + ply) * 2**PLIES + history)[None].astype(jnp.int32)


NUM_VIEWS = CARDS * CARDS * PLIES * 2**PLIES


def random_values(game: Bits) -> dict[int, float]:
    """Counts what uniformly random play is worth to the player to move, by what it sees.

    Every deal and every line of bits is walked; no discount.
    """
    total: dict[int, list[float]] = {}
    for cards in itertools.product(range(CARDS), repeat=2):
        for line in itertools.product((0, 1), repeat=PLIES):
            paid = []
            for ply, bit in enumerate(line):
                own, other = cards[ply % 2], cards[1 - ply % 2]
                gain = 0.25 * (own - 1) * bit
                if ply == PLIES - 1:
                    gain += (0.5 + 0.25 * sum(line)) * np.sign(own - other)
                shares = [gain, -gain if game.zero_sum else 0.5 * gain]
                paid.append(shares if ply % 2 == 0 else shares[::-1])
            for ply in range(PLIES):
                own, other = cards[ply % 2], cards[1 - ply % 2]
                seen = own if game.hidden else own * CARDS + other
                history = sum(2**i * bit for i, bit in enumerate(line[:ply]))
                view = (seen * PLIES + ply) * 2**PLIES + history
                total.setdefault(view, []).append(sum(each[ply % 2] for each in paid[ply:]))
    return {view: float(np.mean(found)) for view, found in total.items()}
