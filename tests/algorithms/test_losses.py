"""The losses of PPO and AlphaZero against plain loops in NumPy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.losses import masked_mean, normalize, ppo_terms, search_terms


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


ROWS, ACTIONS = 5, 4
LEGAL = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 0, 1], [1, 1, 1, 0]], bool)
KNOWN = np.array([True, False, True, False, True])
MASK = np.array([True, True, True, True, False])


def drawn():
    rng = np.random.default_rng(0)
    weights = rng.random((ROWS, ACTIONS)) * LEGAL
    return {
        "logits": rng.normal(size=(ROWS, ACTIONS)).astype(np.float32),
        "value": rng.normal(size=ROWS).astype(np.float32),
        "legal_action_mask": LEGAL,
        "weights": (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32),
        "target": rng.normal(size=ROWS).astype(np.float32),
        "target_known": KNOWN,
        "mask": MASK,
    }


def test_terms_are_those_of_a_plain_loop():
    rows = drawn()
    terms = search_terms(**jax.tree.map(jnp.asarray, rows))
    crosses, mine, theirs, errors = [], [], [], []
    for row in np.flatnonzero(MASK):
        legal = LEGAL[row]
        odds = np.exp(rows["logits"][row][legal])
        policy, search = odds / odds.sum(), rows["weights"][row][legal]
        crosses.append(-(search * np.log(policy)).sum())
        mine.append(-(policy * np.log(policy)).sum())
        theirs.append(-(search * np.log(search)).sum())
        if KNOWN[row]:
            errors.append((rows["value"][row] - rows["target"][row]) ** 2)
    assert terms.policy == pytest.approx(np.mean(crosses), rel=1e-5)
    assert terms.policy_entropy == pytest.approx(np.mean(mine), rel=1e-5)
    assert terms.search_entropy == pytest.approx(np.mean(theirs), rel=1e-5)
    assert terms.kl == pytest.approx(np.mean(crosses) - np.mean(theirs), rel=1e-4)
    assert terms.value == pytest.approx(np.mean(errors), rel=1e-5)
    assert len(errors) == 2
    assert terms.known == pytest.approx(0.5)


def test_unknown_values_train_the_policy_and_not_the_value():
    rows = jax.tree.map(jnp.asarray, drawn())

    def value_loss(value, target):
        return search_terms(**rows | {"value": value, "target": target}).value

    other = jnp.where(KNOWN & MASK, rows["target"], 99.0)
    grads = jax.grad(value_loss)(rows["value"], other)
    np.testing.assert_array_equal(grads, jax.grad(value_loss)(rows["value"], rows["target"]))
    assert (np.asarray(grads) != 0).tolist() == (KNOWN & MASK).tolist()

    def policy_loss(logits):
        return search_terms(**rows | {"logits": logits}).policy

    moved = np.asarray(jax.grad(policy_loss)(rows["logits"]))
    assert np.isfinite(moved).all()
    assert not moved[~LEGAL].any()
    # A row with one legal action has nothing to learn.
    assert (moved != 0).any(axis=1).tolist() == [True, True, False, True, False]


def test_no_row_with_a_value_is_no_loss():
    rows = jax.tree.map(jnp.asarray, drawn())
    terms = search_terms(**rows | {"target_known": jnp.zeros(ROWS, bool)})
    assert terms.value == 0
    assert terms.known == 0
