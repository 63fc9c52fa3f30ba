import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.losses import search_terms

pytestmark = pytest.mark.usefixtures("quick_compiles")

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
