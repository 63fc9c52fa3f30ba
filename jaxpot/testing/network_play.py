"""What the contract test of a network asks of it in play.

Axis letters: S steps, B rows.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxpot.models.base import ModelState, Network, Observation, Params
from jaxpot.models.memory import Carry
from jaxpot.testing.closeness import close, finite


def play_faults(
    network: Network,
    step: Callable[..., Any],
    params: Params,
    model_state: ModelState,
    observation: Observation,
    *,
    others: Params,
    tolerance: float,
) -> Iterator[str]:
    """Yields what is wrong with a network's `step`.

    Args:
        network: The network.
        step: Its `step`, compiled.
        params: As drawn.
        model_state: As drawn.
        observation: `[S, B, ...]` bool.
        others: Parameters drawn from another key.
        tolerance: How far results may be apart.
    """
    batch = jax.tree.leaves(observation)[0].shape[1]
    first, last = (jax.tree.map(lambda x, at=at: x[at], observation) for at in (0, -1))
    carry = network.initial_carry(batch)
    yield from _initial_faults(carry, batch)
    # A game's second move, so that what is carried is no longer what it began with.
    _, carry = jax.device_get(step(params, model_state, first, carry))
    outputs, after = jax.device_get(step(params, model_state, last, carry))
    if not finite((outputs, after)):
        yield "gives logits or values that are not finite, for parameters as drawn"
    if _signature(after) != _signature(network.initial_carry(batch)):
        yield "carries arrays of other shapes or dtypes on than a game begins with"

    half = batch // 2
    mixed = jax.tree.map(lambda x: np.concatenate([x[:half], ~x[half:]]), last)
    beside = jax.device_get(step(params, model_state, mixed, _double(carry, half)))
    if not close(_rows((outputs, after), half), _rows(beside, half), tolerance):
        yield "lets the rows of a batch influence each other"

    both = jax.tree.map(lambda *leaves: np.stack(leaves), params, others)
    mapped = jax.jit(jax.vmap(network.step, in_axes=(0, None, None, None)))
    as_float = jax.tree.map(lambda x: x.astype(np.float32), last)
    mapped_outputs = jax.device_get(mapped(both, model_state, as_float, carry))
    found = jax.tree.map(lambda x: x[0], mapped_outputs)
    if not close(found, (outputs, after), tolerance):
        yield "gives other results under vmap over the parameters, with float32 observations"


def _initial_faults(carry: Carry, batch: int) -> Iterator[str]:
    for leaf in jax.tree.leaves(carry):
        if leaf.dtype != np.float32 or leaf.shape[:1] != (batch,):
            found = f"{leaf.dtype}{list(leaf.shape)}"
            yield f"a game begins with a carry {found}; expected float32[{batch}, ...]"
        elif not (np.asarray(leaf) == np.asarray(leaf)[:1]).all():
            yield "games of one batch begin with different carries"


def _signature(carry: Carry) -> Any:
    return jax.tree.structure(carry), [(x.shape, x.dtype) for x in jax.tree.leaves(carry)]


def _double(carry: Carry, start: int) -> Carry:
    """Doubles what the rows from `start` on carry."""
    return jax.tree.map(lambda x: np.concatenate([x[:start], 2 * x[start:]]), carry)


def _rows(tree: Any, number: int) -> Any:
    return jax.tree.map(lambda x: x[:number], tree)
