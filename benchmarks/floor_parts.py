"""What the floors share: a network written out, schedules, named streams, minibatches.

Axis letters: B rows, A actions.
"""

import hashlib
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.models.base import Variables

Net = tuple[Callable[[Array], Any], Callable[[Any, Array], tuple[Array, Array]]]


def mlp(hidden: tuple[int, ...], shape: tuple[int, ...], num_actions: int) -> Net:
    """Returns `init` and `apply` of a ReLU network with a policy head and a value head."""
    widths = (math.prod(shape), *hidden)
    layers = [*zip(widths, widths[1:], [2.0**0.5] * len(hidden), strict=False)]
    layers += [(widths[-1], num_actions, 0.01), (widths[-1], 1, 1.0)]

    def init(key: Array) -> Any:
        keys = jax.random.split(key, len(layers))
        return [
            (jax.nn.initializers.orthogonal(gain)(k, (rows, columns)), jnp.zeros(columns))
            for k, (rows, columns, gain) in zip(keys, layers, strict=True)
        ]

    def apply(params: Any, observation: Array) -> tuple[Array, Array]:
        x = observation.astype(jnp.float32).reshape(observation.shape[0], -1)
        *trunk, (policy_w, policy_b), (value_w, value_b) = params
        for weight, bias in trunk:
            x = jax.nn.relu(x @ weight + bias)
        return x @ policy_w + policy_b, (x @ value_w + value_b)[:, 0]

    return init, apply


def resnet(config: Any, shape: tuple[int, ...], num_actions: int) -> Net:
    """Returns `init` and `apply` of jaxpot's own ResNet."""
    from jaxpot.models.conv import build_resnet as build

    network = build(config, observation_shape=shape, num_actions=num_actions)
    return lambda key: network.init(key).params, lambda params, x: network.apply(
        Variables(params), x
    )


def rate(schedule: Any, t: Array) -> Any:
    """Returns a schedule's value at iteration `t`."""
    if isinstance(schedule, int | float):
        return schedule
    if schedule.kind == "constant":
        peak = value = schedule.value
    else:
        peak, end = schedule.init, schedule.end
        done = jnp.clip((t - schedule.warmup) / (schedule.iterations - schedule.warmup), 0.0, 1.0)
        if schedule.kind == "cosine":
            done = (1.0 - jnp.cos(jnp.pi * done)) / 2.0
        value = peak + (end - peak) * done
    return jnp.where(t < schedule.warmup, peak * (t + 1) / max(schedule.warmup, 1), value)


def stream(key: Array, name: str, t: Any) -> Array:
    """Returns the key of a named stream at iteration `t`."""
    tag = 0x80000000 | (int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) & 0x7FFFFFFF)
    return jax.random.fold_in(jax.random.fold_in(key, jnp.uint32(tag)), t)


def masked_log_softmax(logits: Array, legal: Array) -> Array:
    """Returns log-probabilities in which illegal actions have the lowest logit."""
    return jax.nn.log_softmax(jnp.where(legal, logits, jnp.finfo(jnp.float32).min))


def chosen(log_probs: Array, action: Array) -> Array:
    """Returns the log-probability of each row's action, without a gather."""
    actions = jnp.arange(log_probs.shape[-1])
    return jnp.where(action[:, None] == actions, log_probs, 0.0).sum(-1)


def shuffle(key: Array, valid: Array) -> Array:
    """Returns the rows' indices, the valid ones first and in random order."""
    bits = max(1, (valid.shape[0] - 1).bit_length())
    draws = jax.random.bits(key, valid.shape, jnp.uint32)
    index = jnp.arange(valid.shape[0], dtype=jnp.uint32)
    first = (~valid).astype(jnp.uint32) << 31
    if bits > 16:
        return jax.lax.sort((first | (draws >> 1), index), num_keys=1)[1]
    packed = first | ((draws >> (bits + 1)) << bits) | index
    return jnp.sort(packed) & ((1 << bits) - 1)


def minibatches(
    step: Callable[[Any, Any, Array], Any],
    carry: Any,
    rows: Any,
    *,
    order: Array,
    num_valid: Any,
    batch_size: int,
    num_epochs: int,
) -> tuple[Any, Any]:
    """Folds `step(carry, minibatch, mask)` over the valid rows.

    Returns:
        What it comes to, and the number of minibatches.
    """
    per_epoch = -(-num_valid // batch_size)
    order = jnp.pad(order, (0, -order.shape[0] % batch_size))

    def at(index: Array, carry: Any) -> Any:
        start = index % per_epoch * batch_size
        picked = jax.lax.dynamic_slice(order, (start,), (batch_size,))
        taken = jax.tree.map(lambda x: x.at[picked].get(mode="promise_in_bounds"), rows)
        return step(carry, taken, start + jnp.arange(batch_size) < num_valid)

    steps = per_epoch * num_epochs
    return jax.lax.fori_loop(0, steps, at, carry), steps
