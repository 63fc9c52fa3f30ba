"""Optimizers and schedules against their formulas in plain Python."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxpot.algorithms.optimizers import (
    clipped_norm,
    init_optimizer,
    make_optimizer,
    schedule_value,
)
from jaxpot.spec import SGD, Adam, AdamW, Constant, Cosine, Linear

PARAMS = {"a": jnp.array([1.0, -2.0]), "b": {"c": jnp.array([[0.5]])}}


def gradients(seed):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32), PARAMS)


def adamw_by_hand(params, m, v, g, step, *, lr, b1, b2, eps, weight_decay):
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g * g
    direction = (m / (1 - b1**step)) / (np.sqrt(v / (1 - b2**step)) + eps)
    return params - lr * (direction + weight_decay * params), m, v


@pytest.mark.parametrize("accumulate", [1, 3])
def test_adamw_with_clipping_and_accumulation(accumulate):
    config = AdamW(max_grad_norm=0.5, accumulate_steps=accumulate, weight_decay=0.01)
    params, state = PARAMS, init_optimizer(config, PARAMS)
    flat = np.concatenate([np.ravel(x) for x in jax.tree.leaves(PARAMS)]).astype(np.float64)
    m, v, step, waiting = np.zeros(3), np.zeros(3), 0, []
    for index in range(7):
        learning_rate = 1e-2 / (index + 1)
        gradient = gradients(index)
        # A partial accumulation outlives the transformation object, as between iterations.
        updates, state = make_optimizer(config, jnp.float32(learning_rate)).update(
            gradient, state, params
        )
        params = optax.apply_updates(params, updates)
        waiting.append(np.concatenate([np.ravel(x) for x in jax.tree.leaves(gradient)]))
        if len(waiting) == accumulate:
            mean = np.mean(waiting, axis=0)
            mean *= min(1.0, 0.5 / np.linalg.norm(mean))
            step += 1
            flat, m, v = adamw_by_hand(
                flat, m, v, mean, step, lr=learning_rate, b1=0.9, b2=0.999, eps=1e-8,
                weight_decay=0.01,
            )  # fmt: skip
            waiting = []
        got = np.concatenate([np.ravel(x) for x in jax.tree.leaves(params)])
        np.testing.assert_allclose(got, flat, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", [Adam(), SGD(momentum=0.9, nesterov=True), SGD(), AdamW()])
def test_the_state_does_not_depend_on_the_learning_rate(config):
    state = init_optimizer(config, PARAMS)
    _, after = make_optimizer(config, 0.1).update(gradients(0), state, PARAMS)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    buffers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(state)]
    assert len(set(buffers)) == len(buffers), "a donated state may not hold a buffer twice"


def test_the_clipped_norm():
    assert clipped_norm(jnp.float32(2.0), AdamW(max_grad_norm=0.5)) == 0.5
    assert clipped_norm(jnp.float32(0.2), AdamW(max_grad_norm=0.5)) == np.float32(0.2)
    assert clipped_norm(jnp.float32(2.0), AdamW()) == 2.0


def by_hand(schedule, t):
    peak = schedule.value if isinstance(schedule, Constant) else schedule.init
    if t < schedule.warmup:
        return peak * (t + 1) / schedule.warmup
    if isinstance(schedule, Constant):
        return peak
    progress = min(max((t - schedule.warmup) / (schedule.iterations - schedule.warmup), 0), 1)
    if isinstance(schedule, Linear):
        return peak + (schedule.end - peak) * progress
    return schedule.end + (peak - schedule.end) * (1 + math.cos(math.pi * progress)) / 2


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(value=0.3),
        Constant(value=0.3, warmup=4),
        Linear(init=1e-3, end=1e-5, iterations=20),
        Linear(init=1e-3, end=1e-2, iterations=20, warmup=5),
        Cosine(init=1e-3, end=0.0, iterations=20),
        Cosine(init=1e-3, end=1e-5, iterations=20, warmup=5),
    ],
)
def test_matches_the_formula_at_every_iteration(schedule):
    for t in range(30):
        np.testing.assert_allclose(
            schedule_value(schedule, t), by_hand(schedule, t), rtol=1e-5, atol=1e-9
        )


def test_a_number_is_constant():
    assert schedule_value(0.25, 7) == np.float32(0.25)
