"""Per-seat GAE against a plain Python walk over each seat's own decisions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.advantages import per_seat_gae


def reference(value, reward, done, seat, final_value, final_known, gamma, gae_lambda):
    """One lane and one seat at a time: list the seat's decisions, then sum the deltas forwards."""
    steps, lanes = value.shape
    advantage = np.zeros((steps, lanes))
    known = np.zeros((steps, lanes), bool)
    for lane in range(lanes):
        for t in range(steps):
            me = seat[t, lane]
            total, weight, now, at = 0.0, 1.0, float(value[t, lane]), t
            while True:
                paid, u, following, end = 0.0, at, None, False
                while u < steps:
                    paid += reward[u, lane, me]
                    if done[u, lane]:
                        end = True
                        break
                    u += 1
                    if u < steps and seat[u, lane] == me:
                        following = u
                        break
                if end:
                    total += weight * (paid - now)
                    known[t, lane] = True
                    break
                if following is None:
                    total += weight * (paid + gamma * final_value[lane, me] - now)
                    known[t, lane] = final_known[lane, me]
                    break
                ahead = float(value[following, lane])
                total += weight * (paid + gamma * ahead - now)
                weight *= gamma * gae_lambda
                now, at = ahead, following
            advantage[t, lane] = total
    return advantage, known


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("gamma", "gae_lambda"), [(0.99, 0.95), (1.0, 1.0), (0.9, 0.0)])
def test_matches_a_plain_loop(seed, gamma, gae_lambda):
    rng = np.random.default_rng(seed)
    steps, lanes = 13, 6
    rollout = {
        "value": rng.normal(size=(steps, lanes)).astype(np.float32),
        "reward": rng.normal(size=(steps, lanes, 2)).astype(np.float32),
        "done": rng.random((steps, lanes)) < 0.2,
        "seat": rng.integers(0, 2, (steps, lanes)).astype(np.int32),
        "final_value": rng.normal(size=(lanes, 2)).astype(np.float32),
        "final_known": rng.random((lanes, 2)) < 0.7,
    }
    given = jax.tree.map(jnp.asarray, rollout)
    rows = per_seat_gae(**given, gamma=gamma, gae_lambda=gae_lambda)
    advantage, known = reference(**rollout, gamma=gamma, gae_lambda=gae_lambda)
    np.testing.assert_allclose(rows.advantage, advantage, atol=2e-5)
    np.testing.assert_array_equal(rows.known, known)
    np.testing.assert_allclose(rows.target, advantage + rollout["value"], atol=2e-5)


def test_a_cut_is_bootstrapped_and_an_end_is_not():
    one_lane = {
        "value": jnp.zeros((2, 1)),
        "reward": jnp.zeros((2, 1, 2)),
        "seat": jnp.array([[0], [1]]),
        "final_value": jnp.array([[0.5, -0.5]]),
        "final_known": jnp.ones((1, 2), bool),
    }
    cut = per_seat_gae(**one_lane, done=jnp.zeros((2, 1), bool), gamma=1.0, gae_lambda=1.0)
    np.testing.assert_array_equal(cut.advantage[:, 0], [0.5, -0.5])
    ended = per_seat_gae(**one_lane, done=jnp.array([[False], [True]]), gamma=1.0, gae_lambda=1.0)
    np.testing.assert_array_equal(ended.advantage[:, 0], [0.0, 0.0])
