"""The updates of an iteration, for any loss: epochs, minibatches, the optimizer.

Axis letters: B rows, E epochs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxpot.algorithms.base import Batch, Learned
from jaxpot.algorithms.minibatches import for_each_minibatch, shuffled_rows
from jaxpot.algorithms.optimizers import clipped_norm, make_optimizer, schedule_value
from jaxpot.models.base import ModelState, Params, Variables
from jaxpot.spec import PPO, AlphaZero
from jaxpot.spec.configs.optimizers import OptimizerConfig

Evaluated: TypeAlias = tuple[Array, tuple[dict[str, Array], ModelState]]
"""The loss, and its metrics and the next model state."""

Loss: TypeAlias = Callable[[Variables, Batch, Array, Array | None], Evaluated]
"""`(variables, minibatch, mask, dropout key) -> (total, (metrics, model_state))`."""


def make_updates(
    loss: Loss,
    variables: Variables,
    opt_state: Any,
    batch: Batch,
    *,
    config: PPO | AlphaZero,
    metrics: Sequence[str],
    optimizer: OptimizerConfig,
    keys: Mapping[str, Array],
    iteration: Array,
) -> Learned:
    """Make `num_epochs` passes of minibatches over the valid rows.

    Args:
        loss: The loss to minimise.
        variables: The network's variables; the loss may change the model state.
        opt_state: The optimizer's state.
        batch: The rows; a recurrent network's sequences are shuffled as wholes.
        config: Says how many epochs, how many rows in a minibatch, and when rows are shuffled.
        metrics: The names of the loss's metrics, float32 scalars.
        optimizer: The optimizer's config.
        keys: A key of the stream `shuffle` and, if the model draws, one of `dropout`.
        iteration: t, for the learning rate's schedule.

    Returns:
        The new variables. The metrics are the means over the updates of the loss's metrics,
        `grad_norm` and `grad_norm_clipped`, and also `iteration/learning_rate`.
    """
    learning_rate = schedule_value(optimizer.learning_rate, iteration)
    rule = make_optimizer(optimizer, learning_rate)
    dropout = keys.get("dropout")

    def step(carry: Any, rows: Batch, mask: Array) -> Any:
        variables, opt_state, sums, index = carry
        key = None if dropout is None else jax.random.fold_in(dropout, index)

        def objective(params: Params) -> Evaluated:
            return loss(Variables(params, variables.model_state), rows, mask, key)

        differentiate = jax.value_and_grad(objective, has_aux=True)
        (_, (terms, model_state)), grads = differentiate(variables.params)
        norm = optax.tree.norm(grads)
        terms |= {"grad_norm": norm, "grad_norm_clipped": clipped_norm(norm, optimizer)}
        updates, opt_state = rule.update(grads, opt_state, variables.params)
        params: Any = optax.apply_updates(variables.params, updates)
        variables = Variables(params, model_state)
        return variables, opt_state, jax.tree.map(jnp.add, sums, terms), index + 1

    valid, size = batch.valid, config.batch_size
    if batch.sequences is not None:
        valid, size = valid.any(axis=1), size // valid.shape[1]
    zeros = {name: jnp.float32(0.0) for name in (*metrics, "grad_norm", "grad_norm_clipped")}
    (variables, opt_state, sums, _), updates = for_each_minibatch(
        step,
        (variables, opt_state, zeros, jnp.int32(0)),
        rows=batch,
        orders=_orders(keys["shuffle"], valid, config),
        num_valid=valid.sum(dtype=jnp.int32),
        batch_size=size,
        num_epochs=config.num_epochs,
    )
    count = jnp.maximum(updates, 1).astype(jnp.float32)
    means = {name: value / count for name, value in sums.items()}
    rate = {"iteration/learning_rate": learning_rate}
    return Learned(variables, opt_state, means | rate)


def _orders(key: Array, valid: Array, config: PPO | AlphaZero) -> Array:
    """Return `[1, B]` or `[E, B]` int32: the shuffled rows, the valid ones first."""
    if config.shuffle == "iteration":
        return shuffled_rows(key, valid)[None]
    keys = jax.random.split(key, config.num_epochs)
    return jnp.stack([shuffled_rows(keys[epoch], valid) for epoch in range(config.num_epochs)])
