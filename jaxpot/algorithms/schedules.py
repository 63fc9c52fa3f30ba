"""Schedules as traced functions of the iteration, never of an estimated number of updates."""

import jax.numpy as jnp
from jax import Array

from jaxpot.spec import Constant, Cosine, Linear
from jaxpot.spec.schedules import Schedule


def schedule_value(schedule: float | Schedule, iteration: Array | int) -> Array:
    """Returns the value that `schedule` has at `iteration`.

    During the first `warmup` iterations the value rises linearly to its peak, which it reaches at
    iteration `warmup - 1`; the decay then runs from `warmup` to `iterations` and stays at `end`.

    Args:
        schedule: A number, which is constant, or a schedule's config.
        iteration: `t`, a non-negative int32 scalar.

    Returns:
        The value, a float32 scalar.
    """
    if isinstance(schedule, float | int):
        return jnp.float32(schedule)
    t = jnp.asarray(iteration, jnp.float32)
    match schedule:
        case Constant(value=peak):
            value = jnp.float32(peak)
        case Linear(init=peak, end=end):
            value = peak + (end - peak) * _progress(schedule, t)
        case Cosine(init=peak, end=end):
            value = end + (peak - end) * 0.5 * (1.0 + jnp.cos(jnp.pi * _progress(schedule, t)))
    if schedule.warmup == 0:
        return value
    return jnp.where(t < schedule.warmup, peak * (t + 1.0) / schedule.warmup, value)


def _progress(schedule: Linear | Cosine, t: Array) -> Array:
    span = schedule.iterations - schedule.warmup
    return jnp.clip((t - schedule.warmup) / span, 0.0, 1.0)
