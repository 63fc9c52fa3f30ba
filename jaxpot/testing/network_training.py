"""What the contract test of a network asks of it in training.

Axis letters: S steps of a sequence, B rows or sequences.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.models.base import ModelState, Network, Observation, Outputs, Params, Sequences
from jaxpot.models.memory import both_seats, of_seat, where_lanes, with_seat
from jaxpot.testing.closeness import close, equal, finite


def training_faults(
    network: Network,
    step: Callable[..., Any],
    params: Params,
    model_state: ModelState,
    observation: Observation,
    *,
    draw: np.random.Generator,
    tolerance: float,
) -> Iterator[str]:
    """Yields what is wrong with a network's `train`.

    Args:
        network: The network.
        step: Its `step`, compiled.
        params: As drawn.
        model_state: As drawn.
        observation: `[S, B, ...]` bool; S is 1 of a network without memory.
        draw: Draws seats, ends of games and what both seats carry.
        tolerance: How far results may be apart.
    """
    sequences = _draw_sequences(network, observation, draw)
    if sequences is None:
        observation = jax.tree.map(lambda x: x[0], observation)
    leading = jax.tree.leaves(observation)[0].shape[: 2 if network.recurrent else 1]
    rows = np.arange(np.prod(leading)).reshape(leading) > 0
    counts = jnp.asarray(rows)
    key, other_key = jax.random.split(jax.random.key(1))

    @jax.jit
    def train(observation: Observation, key: Array) -> Any:
        def loss(params: Params) -> tuple[Array, tuple[Outputs, ModelState]]:
            outputs, state = network.train(
                params,
                model_state,
                observation,
                rows=jnp.asarray(rows),
                key=key,
                sequences=sequences,
            )
            squares = jnp.square(outputs.logits).sum(axis=1) + jnp.square(outputs.value - 1.0)
            return jnp.where(counts.reshape(-1), squares, 0.0).sum(), (outputs, state)

        gradient, (outputs, state) = jax.grad(loss, has_aux=True)(params)
        return gradient, outputs, state

    gradient, outputs, state = train(observation, key)
    yield from _gradient_faults(gradient)
    # The first row, which does not count, is another.
    changed = jax.tree.map(lambda x: np.where(_wide(rows, x), x, ~x), observation)
    _, _, beside = train(changed, jax.random.clone(key))
    _, others, _ = train(observation, other_key)
    yield from _state_faults(model_state, state, beside)
    if not model_state and equal(outputs, others):  # neither statistics nor dropout
        played = _played(network, step, params, observation, sequences)
        if not close(outputs._replace(auxiliary={}), played, tolerance):
            yield "computes in training something else than in play"


def _draw_sequences(
    network: Network, observation: Observation, draw: np.random.Generator
) -> Sequences | None:
    if not network.recurrent:
        return None
    steps, batch = jax.tree.leaves(observation)[0].shape[:2]
    memory = jax.tree.map(
        lambda x: draw.normal(size=x.shape).astype(np.float32),
        both_seats(network.initial_carry(batch)),
    )
    seat: Any = draw.integers(2, size=(steps, batch), dtype=np.int32)
    done: Any = draw.random((steps, batch)) < 0.3
    return Sequences(memory, seat, done)


def _played(
    network: Network,
    step: Callable[..., Any],
    params: Params,
    observation: Observation,
    sequences: Sequences | None,
) -> Outputs:
    """Plays the positions that were trained on, move by move."""
    if sequences is None:
        outputs, _ = step(params, {}, observation, ())
        return outputs
    memory, initial = sequences.memory, both_seats(network.initial_carry(sequences.seat.shape[1]))
    played = []
    for t in range(len(sequences.seat)):
        seat, done = sequences.seat[t], sequences.done[t]
        seen = jax.tree.map(lambda x, t=t: x[t], observation)
        outputs, carry = step(params, {}, seen, of_seat(memory, seat))
        memory = where_lanes(done, initial, with_seat(memory, seat, carry))
        played.append(jax.device_get(outputs))
    return jax.tree.map(lambda *steps: np.concatenate(steps), *played)


def _gradient_faults(gradient: Params) -> Iterator[str]:
    if not finite(gradient):
        yield "has gradients that are not finite"
    for path, leaf in jax.tree.leaves_with_path(gradient):
        if not np.asarray(leaf).any():
            yield f"params{jax.tree_util.keystr(path)} never gets a gradient"


def _state_faults(before: ModelState, after: ModelState, beside: ModelState) -> Iterator[str]:
    if jax.tree.map(_type, before) != jax.tree.map(_type, after):
        yield "gives a model state of other arrays in training than `init`"
    elif not finite(after):
        yield "gives a model state that is not finite"
    elif before and equal(before, after):
        yield "has variables that training never changes; constants are no variables"
    if not equal(after, beside):
        yield "lets rows that do not count move the model state"


def _type(x: Array) -> tuple[tuple[int, ...], Any]:
    return x.shape, x.dtype


def _wide(rows: np.ndarray, like: np.ndarray) -> np.ndarray:
    return rows.reshape(rows.shape + (1,) * (like.ndim - rows.ndim))
