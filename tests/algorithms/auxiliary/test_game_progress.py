"""The step of the game, against counting."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.algorithms.auxiliary_losses import build_game_progress
from jaxpot.spec.configs.auxiliary import GameProgress
from tests.algorithms.auxiliary.rows import rows
from tests.games.nim import Nim


def test_the_target_is_the_games_length_so_far():
    length = np.random.default_rng(0).integers(0, 11, (7, 5), dtype=np.int32)
    loss = build_game_progress(GameProgress(), env=Nim(heap=11))
    given = rows(done=np.zeros((7, 5), bool), length=length)
    target, known = jax.device_get(jax.jit(loss.targets)(given, None))
    np.testing.assert_allclose(target, length / 11, rtol=1e-6)
    assert known.all() and known.dtype == bool
    assert target.dtype == np.float32 and (target < 1).all()


def test_nothing_is_recorded():
    assert build_game_progress(GameProgress(), env=Nim()).record(Nim(), None) is None


def test_the_loss_is_the_binary_cross_entropy():
    logit = np.array([-30.0, -1.0, 0.0, 2.0, 40.0], np.float32)
    target = np.array([0.0, 0.5, 0.25, 1.0, 1.0], np.float32)
    found = build_game_progress(GameProgress(), env=Nim()).loss(
        jnp.asarray(logit)[:, None], jnp.asarray(target)
    )
    p = 1 / (1 + np.exp(-logit.astype(np.float64)))
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = -np.nan_to_num(target * np.log(p)) - np.nan_to_num((1 - target) * np.log1p(-p))
    np.testing.assert_allclose(found, expected, atol=1e-6)
