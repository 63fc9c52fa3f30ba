"""Schedules against their formulas, written out in plain Python."""

import math

import numpy as np
import pytest

from jaxpot.algorithms.optimizers import schedule_value
from jaxpot.spec import Constant, Cosine, Linear


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
