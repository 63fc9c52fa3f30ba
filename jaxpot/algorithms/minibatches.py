"""The rows of a batch: laid out for training, shuffled, and evaluated by minibatches.

Axis letters: T steps, N lanes, B rows, C chunks of S steps, E epochs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Batch, Rollout
from jaxpot.models.base import ModelState, Network, Outputs, Sequences, Variables

_PACKED_INDEX_BITS = 16


def as_rows(batch: Batch, rollout: Rollout, *, seq_len: int | None) -> Batch:
    """Arrange a rollout's `[T, N, ...]` rows for training.

    Args:
        batch: The rows, `[T, N, ...]`, without `sequences`.
        rollout: The rollout that the rows come from.
        seq_len: S, which divides T, for a recurrent network; None for single rows.

    Returns:
        `[T * N, ...]`, or `[T / S * N, S, ...]` with `sequences`.
    """
    if seq_len is None:
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), batch)

    def cut(x: Array) -> Array:
        steps, lanes = x.shape[:2]
        x = x.reshape(steps // seq_len, seq_len, lanes, *x.shape[2:])
        return x.swapaxes(1, 2).reshape(-1, seq_len, *x.shape[3:])

    def at_starts(x: Array) -> Array:
        return x[::seq_len].reshape(-1, *x.shape[2:])

    sequences = Sequences(
        memory=jax.tree.map(at_starts, rollout.memory),
        seat=cut(rollout.seat),
        done=cut(rollout.done),
    )
    return jax.tree.map(cut, batch)._replace(sequences=sequences)


def by_lane(batch: Batch, *, start: int, steps: int, lanes: int) -> Batch:
    """Return the rows of one rollout in its own layout, `[T, N, ...]`; the inverse of `as_rows`.

    Args:
        batch: All rows.
        start: The number of rows of the rollouts before it.
        steps: T.
        lanes: N.
    """
    end = start + steps * lanes
    if batch.sequences is None:
        return jax.tree.map(lambda x: x[start:end].reshape(steps, lanes, *x.shape[1:]), batch)
    seq_len = batch.valid.shape[1]

    def joined(x: Array) -> Array:
        x = x[start // seq_len : end // seq_len].reshape(-1, lanes, seq_len, *x.shape[2:])
        return x.swapaxes(1, 2).reshape(steps, lanes, *x.shape[3:])

    return jax.tree.map(joined, batch._replace(sequences=None))


def shuffled_rows(key: Array, valid: Array) -> Array:
    """Return every row's index, `[B]` int32, the valid ones first and in random order.

    One sort of a packed uint32 (validity, random bits, index) takes a third of the time of a sort
    of floats and an eighth of `random.permutation` on a CPU. Above 2**16 rows the index leaves too
    few random bits in the word, so a second word holds it.

    Args:
        key: A scalar typed key.
        valid: `[B]` bool.
    """
    (num_rows,) = valid.shape
    index_bits = max(1, (num_rows - 1).bit_length())
    bits = jax.random.bits(key, (num_rows,), jnp.uint32)
    invalid = (~valid).astype(jnp.uint32) << 31
    index = jnp.arange(num_rows, dtype=jnp.uint32)
    if index_bits <= _PACKED_INDEX_BITS:
        packed = invalid | ((bits >> (index_bits + 1)) << index_bits) | index
        return (jnp.sort(packed) & jnp.uint32((1 << index_bits) - 1)).astype(jnp.int32)
    _, order = jax.lax.sort((invalid | (bits >> 1), index), num_keys=1)
    return order.astype(jnp.int32)


def for_each_minibatch(
    body: Callable[[Any, Any, Array], Any],
    carry: Any,
    *,
    rows: Any,
    orders: Array,
    num_valid: Array,
    batch_size: int,
    num_epochs: int,
) -> tuple[Any, Array]:
    """Fold `body(carry, minibatch, mask)` over `num_epochs` passes of the valid rows.

    Each pass has `ceil(num_valid / batch_size)` minibatches of one fixed shape; the mask of the
    last one drops the rows after the valid ones. The trip count is traced, so another number of
    valid rows recompiles nothing.

    Args:
        body: Returns the next carry; `mask` is `[batch_size]` bool.
        carry: Any pytree.
        rows: A pytree of `[B, ...]` arrays.
        orders: `[E, B]` int32, E = 1 (one order for every epoch) or `num_epochs`.
        num_valid: int32 scalar.
        batch_size: Rows in a minibatch, at most B.
        num_epochs: Passes.

    Returns:
        The final carry and the number of minibatches (int32).
    """
    num_rows = orders.shape[1]
    per_epoch = -(-num_valid // batch_size)
    total = per_epoch * num_epochs
    padding = -num_rows % batch_size
    orders = jnp.pad(orders, ((0, 0), (0, padding)))
    lane = jnp.arange(batch_size, dtype=jnp.int32)

    def step(index: Array, carry: Any) -> Any:
        epoch, minibatch = index // per_epoch, index % per_epoch
        start = minibatch * batch_size
        which = jnp.minimum(epoch, orders.shape[0] - 1)
        picked = jax.lax.dynamic_slice(orders, (which, start), (1, batch_size))[0]
        taken = jax.tree.map(lambda rows: rows.at[picked].get(mode="promise_in_bounds"), rows)
        return body(carry, taken, start + lane < num_valid)

    return jax.lax.fori_loop(0, total, step, carry), total


class Predicted(NamedTuple):
    """A minibatch and the network's outputs for it; rows are flat, `[B, ...]`."""

    outputs: Outputs
    rows: Batch
    mask: Array
    """`[B]` bool: the rows that count."""
    model_state: ModelState
    """The next model state."""


def predict(
    network: Network, variables: Variables, rows: Batch, mask: Array, *, key: Array | None
) -> Predicted:
    """Evaluate the network on a minibatch, as in training.

    Args:
        network: The network.
        variables: Its variables.
        rows: The minibatch: `[B, ...]`, or `[C, S, ...]` for a recurrent network.
        mask: `[B]` or `[C]` bool: the valid rows, or the chunks that have any.
        key: A key of the stream `dropout`; None if the model draws nothing.
    """
    sequences = rows.sequences
    if sequences is not None:
        # The network wants steps first.
        rows = jax.tree.map(lambda x: x.swapaxes(0, 1), rows._replace(sequences=None))
        sequences = sequences._replace(
            seat=sequences.seat.swapaxes(0, 1), done=sequences.done.swapaxes(0, 1)
        )
        mask = rows.valid & mask[None, :]
    outputs, model_state = network.train(
        variables, rows.observation, rows=mask, key=key, sequences=sequences
    )
    if sequences is not None:
        rows, mask = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (rows, mask))
    return Predicted(outputs, rows, mask, model_state)
