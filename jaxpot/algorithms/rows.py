"""A minibatch as losses see it: flat rows, and what the network says of them.

Axis letters: T steps, N lanes, B rows, C chunks of S steps.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Batch, Rollout
from jaxpot.models.base import ModelState, Network, Outputs, Params, Sequences


class Predicted(NamedTuple):
    """A minibatch and what the network says of it; rows are flat, `[B, ...]`."""

    outputs: Outputs
    rows: Batch
    mask: Array
    """`[B]` bool: the rows that count."""
    model_state: ModelState
    """To go on with."""


def predict(
    network: Network,
    params: Params,
    model_state: ModelState,
    rows: Batch,
    mask: Array,
    *,
    key: Array | None,
) -> Predicted:
    """Evaluates the network on a minibatch in training.

    Args:
        network: The network.
        params: Its parameters.
        model_state: Its untrained variables.
        rows: The minibatch: `[B, ...]`, or `[C, S, ...]` of a recurrent network.
        mask: `[B]` or `[C]` bool: the valid rows, or the chunks that have any.
        key: Of the stream `dropout`; None where nothing is drawn.
    """
    sequences = rows.sequences
    if sequences is not None:
        rows = _steps_first(rows._replace(sequences=None))
        sequences = sequences._replace(
            seat=sequences.seat.swapaxes(0, 1), done=sequences.done.swapaxes(0, 1)
        )
        mask = rows.valid & mask[None, :]
    outputs, model_state = network.train(
        params, model_state, rows.observation, rows=mask, key=key, sequences=sequences
    )
    if sequences is not None:
        rows, mask = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (rows, mask))
    return Predicted(outputs, rows, mask, model_state)


def as_rows(batch: Batch, rollout: Rollout, *, seq_len: int | None) -> Batch:
    """Lays a rollout's `[T, N, ...]` rows out as they are trained on.

    Args:
        batch: What there is of each row; without `sequences`.
        rollout: Where the rows come from.
        seq_len: S, which divides T, for a recurrent network; None for rows one by one.

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
    """Returns the rows that came from one rollout as it had them, `[T, N, ...]`.

    Args:
        batch: All rows.
        start: The rows of the rollouts before it.
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


def _steps_first(tree: Any) -> Any:
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), tree)
