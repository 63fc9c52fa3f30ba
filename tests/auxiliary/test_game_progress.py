"""The step of the game, against counting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.auxiliary.game_progress import build
from jaxpot.spec.auxiliary import GameProgress
from tests.auxiliary.rows import rows
from tests.envs.nim import Nim

pytestmark = pytest.mark.usefixtures("quick_compiles")


def test_the_step_is_counted_from_each_lanes_last_end():
    done = np.random.default_rng(0).random((11, 5)) < 0.3
    loss = build(GameProgress(), env=Nim(heap=11))
    target, known = jax.device_get(jax.jit(loss.targets)(rows(done=done), None))
    for lane in range(5):
        step = 0
        for t in range(11):
            assert target[t, lane] == pytest.approx(step / 11, rel=1e-6)
            step = 0 if done[t, lane] else step + 1
    assert known.all() and known.dtype == bool
    assert target.dtype == np.float32 and (target < 1).all()


def test_nothing_is_recorded():
    assert build(GameProgress(), env=Nim()).record(Nim(), None) is None


def test_the_loss_is_the_binary_cross_entropy():
    logit = np.array([-30.0, -1.0, 0.0, 2.0, 40.0], np.float32)
    target = np.array([0.0, 0.5, 0.25, 1.0, 1.0], np.float32)
    found = build(GameProgress(), env=Nim()).loss(jnp.asarray(logit)[:, None], jnp.asarray(target))
    p = 1 / (1 + np.exp(-logit.astype(np.float64)))
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = -np.nan_to_num(target * np.log(p)) - np.nan_to_num((1 - target) * np.log1p(-p))
    np.testing.assert_allclose(found, expected, atol=1e-6)
