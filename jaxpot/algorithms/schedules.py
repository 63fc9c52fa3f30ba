"""Schedules as traced functions of the iteration, never of an estimated number of updates."""

import jax.numpy as jnp
from jax import Array

from jaxpot.spec import Constant, Cosine, Linear, implementation
from jaxpot.spec.configs.schedules import Schedule


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
    decay = implementation(schedule)
    if schedule.warmup == 0:
        return decay(schedule, t)
    rising = decay(schedule, jnp.float32(schedule.warmup)) * (t + 1.0) / schedule.warmup
    return jnp.where(t < schedule.warmup, rising, decay(schedule, t))


def constant(schedule: Constant, t: Array) -> Array:
    """Stays at `value`."""
    del t
    return jnp.float32(schedule.value)


def linear(schedule: Linear, t: Array) -> Array:
    """Goes from `init` to `end` in equal steps."""
    return schedule.init + (schedule.end - schedule.init) * _progress(schedule, t)


def cosine(schedule: Cosine, t: Array) -> Array:
    """Goes from `init` to `end` along half a cosine (Loshchilov & Hutter 2017, eq. 5)."""
    wave = 0.5 * (1.0 + jnp.cos(jnp.pi * _progress(schedule, t)))
    return schedule.end + (schedule.init - schedule.end) * wave


def _progress(schedule: Linear | Cosine, t: Array) -> Array:
    span = schedule.iterations - schedule.warmup
    return jnp.clip((t - schedule.warmup) / span, 0.0, 1.0)
