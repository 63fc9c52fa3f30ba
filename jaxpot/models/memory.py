"""The state that a recurrent network carries between decisions, one for each seat and lane.

Axis letters: N lanes, S steps of a sequence, M sequences. A carry is a pytree of `[N, ...]`
arrays; a memory holds the carries of both seats, `[N, 2, ...]`. A network without memory has the
empty pytree `()` for both.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array

Carry: TypeAlias = Any
"""A pytree of `[N, ...] float32`: what a network remembers of a game, as one seat saw it."""


class Sequences(NamedTuple):
    """The carries and moves of `M` sequences of `S` steps, for training a recurrent network."""

    memory: Carry
    """`[M, 2, ...]`: the carries of both seats before the first step."""
    seat: Array
    """`[S, M]` int32: the seat that moved at the step, and saw its observation."""
    done: Array
    """`[S, M]` bool: the game ended with the step, which resets both carries."""


def both_seats(carry: Carry) -> Carry:
    """Give each seat a copy of a carry: `[N, ...]` becomes `[N, 2, ...]`."""
    return jax.tree.map(lambda x: jnp.stack([x, x], axis=1), carry)


def of_seat(memory: Carry, seat: Array) -> Carry:
    """Return the carry of `seat` `[N]` int32 in each lane: `[N, 2, ...]` gives `[N, ...]`."""
    return jax.tree.map(lambda x: jnp.where(_wide(seat == 0, x[:, 0]), x[:, 0], x[:, 1]), memory)


def with_seat(memory: Carry, seat: Array, carry: Carry) -> Carry:
    """Return `memory` with the carry of `seat` `[N]` int32 replaced in each lane."""
    acted = seat[:, None] == jnp.arange(2)[None, :]
    return jax.tree.map(
        lambda old, new: jnp.where(_wide(acted, old), new[:, None], old), memory, carry
    )


def where_lanes(condition: Array, on_true: Carry, on_false: Carry) -> Carry:
    """Choose between two carries, or two memories, lane by lane by `[N]` bool."""
    return jax.tree.map(lambda a, b: jnp.where(_wide(condition, a), a, b), on_true, on_false)


def unroll(
    module: Any, observation: Any, sequences: Sequences, train_kwargs: Mapping[str, Any]
) -> Any:
    """Run a recurrent module along whole sequences, as training does.

    The encoder and the heads see all steps in one batch; only the cell goes step by step.

    Args:
        module: Has the methods that `jaxpot.models.base.from_module` lists.
        observation: A tree of `[S, M, ...]`.
        sequences: The carries at the start, and which seat moved when.
        train_kwargs: Passed on to `encode` and to `heads`.

    Returns:
        What `heads` returns, for `S * M` rows.
    """
    steps, lanes = sequences.seat.shape
    x = module.encode(_merge_axes(observation), **train_kwargs)
    initial = both_seats(module.initial_carry(lanes))

    def step(memory: Carry, row: tuple[Any, Array, Array]) -> tuple[Carry, Any]:
        x, seat, done = row
        carry, y = module.cell(of_seat(memory, seat), x)
        return where_lanes(done, initial, with_seat(memory, seat, carry)), y

    split = jax.tree.map(lambda x: x.reshape(steps, lanes, *x.shape[1:]), x)
    rows = (split, sequences.seat, sequences.done)
    _, y = jax.lax.scan(step, sequences.memory, rows)
    return module.heads(_merge_axes(y), **train_kwargs)


def _merge_axes(tree: Any) -> Any:
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), tree)


def _wide(condition: Array, like: Array) -> Array:
    """Append axes to `condition` until it broadcasts against `like`."""
    return condition.reshape(condition.shape + (1,) * (like.ndim - condition.ndim))
