"""Optax optimizers and schedules from their configs, as traced functions of the iteration."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxpot.spec import SGD, Adam, AdamW, Constant, Cosine, Linear, implementation
from jaxpot.spec.configs.optimizers import OptimizerConfig
from jaxpot.spec.configs.schedules import Schedule


def build_adamw(config: AdamW, learning_rate: Array | float) -> optax.GradientTransformation:
    return optax.adamw(
        learning_rate, config.b1, config.b2, config.eps, weight_decay=config.weight_decay
    )


def build_adam(config: Adam, learning_rate: Array | float) -> optax.GradientTransformation:
    return optax.adam(learning_rate, b1=config.b1, b2=config.b2, eps=config.eps)


def build_sgd(config: SGD, learning_rate: Array | float) -> optax.GradientTransformation:
    # Without momentum there is no optimizer state.
    return optax.sgd(learning_rate, momentum=config.momentum or None, nesterov=config.nesterov)


def make_optimizer(
    config: OptimizerConfig, learning_rate: Array | float
) -> optax.GradientTransformation:
    """Return the gradient transformation that `config` declares, clipping included.

    The learning rate is an argument and not part of the optimizer's state, so that the schedule can
    change it at every iteration. Clipping acts on the gradient that is applied, which under
    accumulation is the mean over `accumulate_steps` minibatches.

    Args:
        config: The spec's `[optimizer]` table.
        learning_rate: A float32 scalar, possibly traced.
    """
    rule = implementation(config)(config, learning_rate)
    if config.max_grad_norm is not None:
        rule = optax.chain(optax.clip_by_global_norm(config.max_grad_norm), rule)
    if config.accumulate_steps > 1:
        rule = optax.MultiSteps(rule, config.accumulate_steps).gradient_transformation()
    return rule


def init_optimizer(config: OptimizerConfig, params: Any) -> optax.OptState:
    """Return the optimizer's state before the first update."""
    state = make_optimizer(config, 0.0).init(params)
    # A fresh state may hold one buffer twice (Adam's zero moments); a donated one must not.
    return jax.tree.map(jnp.array, state)


def clipped_norm(norm: Array, config: OptimizerConfig) -> Array:
    """Return the global norm that a gradient of global norm `norm` has after clipping."""
    if config.max_grad_norm is None:
        return norm
    return jnp.minimum(norm, config.max_grad_norm)


def schedule_value(schedule: float | Schedule, iteration: Array | int) -> Array:
    """Return the value of `schedule` at `iteration`.

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
    del t
    return jnp.float32(schedule.value)


def linear(schedule: Linear, t: Array) -> Array:
    """Interpolate linearly from `init` to `end`."""
    return schedule.init + (schedule.end - schedule.init) * _progress(schedule, t)


def cosine(schedule: Cosine, t: Array) -> Array:
    """Go from `init` to `end` along half a cosine (Loshchilov & Hutter 2017, eq. 5)."""
    wave = 0.5 * (1.0 + jnp.cos(jnp.pi * _progress(schedule, t)))
    return schedule.end + (schedule.init - schedule.end) * wave


def _progress(schedule: Linear | Cosine, t: Array) -> Array:
    span = schedule.iterations - schedule.warmup
    return jnp.clip((t - schedule.warmup) / span, 0.0, 1.0)
