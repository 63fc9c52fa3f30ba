"""PPO's loss against a NumPy loop over rows."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.losses import masked_mean, normalize, ppo_terms

pytestmark = pytest.mark.usefixtures("quick_compiles")


def reference(rows, mask, lowest, highest, value_clip):
    terms = {"policy": [], "value": [], "entropy": [], "kl": [], "clip_fraction": []}
    for b in np.flatnonzero(mask):
        legal = np.flatnonzero(rows["legal_action_mask"][b])
        logits = rows["logits"][b][legal].astype(np.float64)
        p = np.exp(logits - logits.max())
        p /= p.sum()
        chosen = list(legal).index(rows["action"][b])
        ratio = p[chosen] / math.exp(rows["old_log_prob"][b])
        clipped = min(max(ratio, lowest), highest)
        advantage = rows["advantage"][b]
        terms["policy"].append(-min(ratio * advantage, clipped * advantage))
        v, old, target = (float(rows[k][b]) for k in ("value", "old_value", "target"))
        error = (v - target) ** 2
        if value_clip is not None:
            near = old + min(max(v - old, -value_clip), value_clip)
            error = max(error, (near - target) ** 2)
        terms["value"].append(0.5 * error)
        terms["entropy"].append(-sum(q * math.log(q) for q in p))
        terms["kl"].append(ratio - 1 - math.log(ratio))
        terms["clip_fraction"].append(float(ratio != clipped))
    return {name: np.mean(values) for name, values in terms.items()}


def make_rows(seed, batch=32, actions=5):
    rng = np.random.default_rng(seed)
    legal = rng.random((batch, actions)) < 0.6
    action = rng.integers(0, actions, batch).astype(np.int32)
    legal[np.arange(batch), action] = True
    normal = {
        name: rng.normal(size=batch).astype(np.float32)
        for name in ("value", "old_value", "advantage", "target")
    }
    return {
        "logits": rng.normal(size=(batch, actions)).astype(np.float32) * 2,
        "legal_action_mask": legal,
        "action": action,
        "old_log_prob": -rng.exponential(size=batch).astype(np.float32),
        **normal,
    }, rng.random(batch) < 0.7


@pytest.mark.parametrize("value_clip", [None, 0.2])
@pytest.mark.parametrize(("clip_range", "lowest"), [("log", 1 / 1.3), ("linear", 0.7)])
@pytest.mark.parametrize("seed", range(3))
def test_matches_a_numpy_loop(seed, clip_range, lowest, value_clip):
    rows, mask = make_rows(seed)
    given = jax.tree.map(jnp.asarray, rows)
    terms = ppo_terms(
        **given,
        mask=jnp.asarray(mask),
        clip_eps=0.3,
        clip_range=clip_range,
        value_clip=value_clip,
    )
    for name, expected in reference(rows, mask, lowest, 1.3, value_clip).items():
        np.testing.assert_allclose(getattr(terms, name), expected, rtol=2e-5, atol=1e-6)


def test_rows_outside_the_mask_change_neither_value_nor_gradient():
    rows, mask = make_rows(7)
    given = jax.tree.map(jnp.asarray, rows)
    mask = jnp.asarray(mask)

    def loss(logits, value, old_log_prob):
        changed = {**given, "logits": logits, "value": value, "old_log_prob": old_log_prob}
        terms = ppo_terms(**changed, mask=mask, clip_eps=0.2, value_clip=0.2)
        return terms.policy + terms.value - terms.entropy + terms.kl

    differentiate = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    plain = differentiate(given["logits"], given["value"], given["old_log_prob"])
    wild = differentiate(
        jnp.where(mask[:, None], given["logits"], 1e4),
        jnp.where(mask, given["value"], -1e4),
        jnp.where(mask, given["old_log_prob"], -1e4),
    )
    jax.tree.map(np.testing.assert_array_equal, plain, wild)


def test_an_action_that_is_illegal_has_no_probability_and_no_gradient():
    rows, mask = make_rows(3)
    given = jax.tree.map(jnp.asarray, rows)

    def loss(logits):
        terms = ppo_terms(
            **{**given, "logits": logits}, mask=jnp.asarray(mask), clip_eps=0.2, value_clip=None
        )
        return terms.policy - terms.entropy + terms.kl

    gradient = np.asarray(jax.grad(loss)(given["logits"]))
    assert np.isfinite(gradient).all()
    assert not gradient[~rows["legal_action_mask"]].any()


def test_means_over_an_empty_mask_are_zero():
    assert masked_mean(jnp.array([jnp.nan, 1.0]), jnp.zeros(2, bool)) == 0.0


def test_normalized_advantages_have_mean_zero_and_variance_one_over_the_mask():
    rng = np.random.default_rng(0)
    x, mask = rng.normal(3, 5, 64).astype(np.float32), rng.random(64) < 0.5
    normal = np.asarray(normalize(jnp.asarray(x), jnp.asarray(mask)))[mask]
    np.testing.assert_allclose([normal.mean(), normal.std()], [0, 1], atol=1e-5)
