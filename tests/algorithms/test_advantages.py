"""Every estimator against a plain Python walk over each seat's own decisions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.advantages import (
    n_step_return,
    per_seat_gae,
    per_seat_return,
    per_seat_vtrace,
)

STEPS, LANES = 13, 6
ENDED, CUT = "ended", "cut"


def rollout(seed):
    """Seats in any order, so that they move twice and more; some games never end."""
    rng = np.random.default_rng(seed)
    return {
        "value": rng.normal(size=(STEPS, LANES)).astype(np.float32),
        "reward": rng.normal(size=(STEPS, LANES, 2)).astype(np.float32),
        "done": (rng.random((STEPS, LANES)) < 0.2) & (np.arange(LANES) > 0),
        "seat": rng.integers(0, 2, (STEPS, LANES)).astype(np.int32),
        "final_value": rng.normal(size=(LANES, 2)).astype(np.float32),
        "bootstrap_mask": rng.random((LANES, 2)) < 0.7,
        "log_ratio": rng.normal(size=(STEPS, LANES)).astype(np.float32),
    }


@jax.jit
def estimate(rows, gamma, gae_lambda, rho_clip, c_clip):
    """All of them in one program."""
    plain = {name: x for name, x in rows.items() if name != "log_ratio"}
    at_the_cut = ("final_value", "bootstrap_mask")
    finished = {name: x for name, x in plain.items() if name not in at_the_cut}
    return {
        "gae": per_seat_gae(**plain, gamma=gamma, gae_lambda=gae_lambda),
        "return": per_seat_return(**finished, gamma=gamma),
        "1": n_step_return(**plain, gamma=gamma, steps=1),
        "3": n_step_return(**plain, gamma=gamma, steps=3),
        "vtrace": per_seat_vtrace(
            **rows, gamma=gamma, gae_lambda=gae_lambda, rho_clip=rho_clip, c_clip=c_clip
        ),
        "on_policy": per_seat_vtrace(
            **(rows | {"log_ratio": jnp.zeros_like(rows["value"])}),
            gamma=gamma,
            gae_lambda=gae_lambda,
            rho_clip=1.0,
            c_clip=1.0,
        ),
    }


def own_transitions(rows, t, lane):
    """The acting seat's decisions from step `t` on: when, what was paid, and what follows."""
    me, found = rows["seat"][t, lane], []
    while True:
        paid, at = 0.0, t
        while True:
            paid += float(rows["reward"][t, lane, me])
            if rows["done"][t, lane]:
                return [*found, (at, paid, ENDED)]
            t += 1
            if t == len(rows["seat"]):
                return [*found, (at, paid, CUT)]
            if rows["seat"][t, lane] == me:
                break
        found.append((at, paid, t))


def value_of(rows, lane, me, following):
    if following == ENDED:
        return 0.0
    if following == CUT:
        return float(rows["final_value"][lane, me])
    return float(rows["value"][following, lane])


def to_last_value(rows, lane, me, path):
    """Ends a path that a cut leaves blind at its last decision, whose value it rests on.

    Returns the path and whether there is a target: a path of that one decision has none.
    """
    if path[-1][2] != CUT or rows["bootstrap_mask"][lane, me]:
        return path, True
    return (path[:-1], True) if len(path) > 1 else (path, False)


def by_row(walk):
    """Makes `[T, N]` advantages, targets and masks of a walk along one row's transitions."""

    @functools.wraps(walk)
    def whole(rows, *parameters):
        steps, lanes = rows["seat"].shape
        found = np.zeros((3, steps, lanes))
        for t in range(steps):
            for lane in range(lanes):
                me = rows["seat"][t, lane]
                path = own_transitions(rows, t, lane)
                found[:, t, lane] = walk(rows, lane, me, path, *parameters)
        return found[0], found[1], found[2].astype(bool)

    return whole


@by_row
def reference_gae(rows, lane, me, path, gamma, gae_lambda):
    path, known = to_last_value(rows, lane, me, path)
    total, weight = 0.0, 1.0
    for at, paid, following in path:
        ahead = value_of(rows, lane, me, following)
        total += weight * (paid + gamma * ahead - rows["value"][at, lane])
        weight *= gamma * gae_lambda
    target = total + rows["value"][path[0][0], lane]
    return total, target, known


@by_row
def reference_return(rows, lane, me, path, gamma):
    target = sum(gamma**i * paid for i, (_, paid, _) in enumerate(path))
    return target - rows["value"][path[0][0], lane], target, path[-1][2] == ENDED


@by_row
def reference_n_step(rows, lane, me, path, gamma, steps):
    path, known = to_last_value(rows, lane, me, path)
    taken = path[:steps]
    target = sum(gamma**i * paid for i, (_, paid, _) in enumerate(taken))
    target += gamma ** len(taken) * value_of(rows, lane, me, taken[-1][2])
    return target - rows["value"][path[0][0], lane], target, known


@by_row
def reference_vtrace(rows, lane, me, path, gamma, gae_lambda, rho_clip, c_clip):
    """Equation 1 of Espeholt et al. 2018 as it stands, a sum over what follows."""

    def corrected(path):
        total, weight = float(rows["value"][path[0][0], lane]), 1.0
        for at, paid, following in path:
            ratio = np.exp(rows["log_ratio"][at, lane])
            delta = paid + gamma * value_of(rows, lane, me, following) - rows["value"][at, lane]
            total += weight * min(rho_clip, ratio) * delta
            weight *= gamma * gae_lambda * min(c_clip, ratio)
        return total

    path, known = to_last_value(rows, lane, me, path)
    at, paid, following = path[0]
    ahead = value_of(rows, lane, me, following)
    if len(path) > 1:
        ahead = gae_lambda * corrected(path[1:]) + (1 - gae_lambda) * ahead
    rho = min(rho_clip, np.exp(rows["log_ratio"][at, lane]))
    advantage = rho * (paid + gamma * ahead - rows["value"][at, lane])
    return advantage, corrected(path), known


def assert_same(found, expected, where=None):
    """Compares outcomes, floats only where both know them or `where` says so."""
    advantage, target, known = expected
    np.testing.assert_array_equal(found.known, known)
    kept = np.ones_like(known) if where is None else where
    np.testing.assert_allclose(found.advantage[kept], advantage[kept], atol=5e-5, rtol=1e-5)
    np.testing.assert_allclose(found.target[kept], target[kept], atol=5e-5, rtol=1e-5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("gamma", "gae_lambda", "rho_clip", "c_clip"),
    [(0.99, 0.95, 1.0, 1.0), (1.0, 1.0, 2.0, 0.5), (0.9, 0.0, 0.5, 3.0)],
)
def test_matches_a_plain_loop(seed, gamma, gae_lambda, rho_clip, c_clip):
    rows = rollout(seed)
    found = jax.device_get(estimate(rows, gamma, gae_lambda, rho_clip, c_clip))
    assert_same(found["gae"], reference_gae(rows, gamma, gae_lambda))
    known = found["return"].known
    assert known.any() and not known[:, 0].any()
    assert_same(found["return"], reference_return(rows, gamma), where=known)
    for steps in (1, 3):
        assert_same(found[str(steps)], reference_n_step(rows, gamma, steps))
    expected = reference_vtrace(rows, gamma, gae_lambda, rho_clip, c_clip)
    assert_same(found["vtrace"], expected)
    assert_same(found["on_policy"], found["gae"])


def test_a_huge_ratio_is_clipped_before_it_overflows():
    rows = rollout(0)
    rows["log_ratio"] = np.full_like(rows["log_ratio"], 1e4)
    found = estimate(rows, 0.99, 0.95, 1.0, 1.0)
    assert_same(jax.device_get(found["vtrace"]), jax.device_get(found["on_policy"]))


def test_a_cut_is_bootstrapped_and_an_end_is_not():
    one_lane = {
        "value": jnp.zeros((2, 1)),
        "reward": jnp.zeros((2, 1, 2)),
        "seat": jnp.array([[0], [1]]),
        "final_value": jnp.array([[0.5, -0.5]]),
        "bootstrap_mask": jnp.ones((1, 2), bool),
    }
    cut = per_seat_gae(**one_lane, done=jnp.zeros((2, 1), bool), gamma=1.0, gae_lambda=1.0)
    np.testing.assert_array_equal(cut.advantage[:, 0], [0.5, -0.5])
    ended = per_seat_gae(**one_lane, done=jnp.array([[False], [True]]), gamma=1.0, gae_lambda=1.0)
    np.testing.assert_array_equal(ended.advantage[:, 0], [0.0, 0.0])
