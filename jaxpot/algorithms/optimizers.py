"""Optax optimizers from their configs, with the learning rate as a traced value."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxpot.spec import SGD, Adam, AdamW, implementation
from jaxpot.spec.configs.optimizers import OptimizerConfig


def build_adamw(config: AdamW, learning_rate: Array | float) -> optax.GradientTransformation:
    """Builds Adam with decoupled weight decay."""
    return optax.adamw(
        learning_rate,
        b1=config.b1,
        b2=config.b2,
        eps=config.eps,
        weight_decay=config.weight_decay,
    )


def build_adam(config: Adam, learning_rate: Array | float) -> optax.GradientTransformation:
    """Builds Adam."""
    return optax.adam(learning_rate, b1=config.b1, b2=config.b2, eps=config.eps)


def build_sgd(config: SGD, learning_rate: Array | float) -> optax.GradientTransformation:
    """Builds stochastic gradient descent; without momentum it keeps no state."""
    momentum = config.momentum or None
    return optax.sgd(learning_rate, momentum=momentum, nesterov=config.nesterov)


def make_optimizer(
    config: OptimizerConfig, learning_rate: Array | float
) -> optax.GradientTransformation:
    """Returns the gradient transformation that `config` declares, clipping and all.

    The learning rate is whatever the iteration's schedule gives; the optimizer's state does not
    hold it, so the same state serves every iteration. Clipping acts on the gradient that is
    applied, which under accumulation is the mean over `accumulate_steps` minibatches.

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
    """Returns the optimizer's state before the first update."""
    state = make_optimizer(config, 0.0).init(params)
    # A fresh state may hold one buffer twice (Adam's zero moments); a donated one must not.
    return jax.tree.map(jnp.array, state)


def clipped_norm(norm: Array, config: OptimizerConfig) -> Array:
    """Returns the global norm that a gradient of global norm `norm` has after clipping."""
    if config.max_grad_norm is None:
        return norm
    return jnp.minimum(norm, config.max_grad_norm)
