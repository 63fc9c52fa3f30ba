"""Weights and groups, against plain Python in NumPy's float32."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.league import allocate, group_slots, weights
from tests.league import model

SLOTS = 8
FEW = st.sampled_from([-1.0, -0.5, -0.05, 0.0, 0.25, 1.0])
SCORES = st.lists(
    FEW | st.integers(-4096, 4096).map(lambda n: n / 4096), min_size=1, max_size=SLOTS
)


@functools.cache
def allocator(groups):
    def run(weight, playing, born):
        counts = allocate(weight, playing, born, groups=groups)
        return counts, group_slots(counts, born, groups=groups)

    return jax.jit(run)


@functools.cache
def weigher(temperature):
    return jax.jit(functools.partial(weights, temperature=temperature))


def slotted(scores, seed):
    """Puts entries, the oldest first, into random slots beside others that do not play."""
    rng = np.random.default_rng(seed)
    slots = rng.permutation(SLOTS)[: len(scores)]
    score = rng.choice([-9.0, 0.0, 9.0], SLOTS).astype(np.float32)
    born = rng.permutation(SLOTS).astype(np.int32) + 1
    born[slots] = np.sort(rng.choice(1000, len(scores), replace=False)) + 1
    score[slots] = scores
    playing = np.zeros(SLOTS, bool)
    playing[slots] = True
    return slots, score, playing, born


@given(SCORES, st.integers(0, 99), st.sampled_from([0.05, 0.6, 3.0]))
def test_weights_are_the_softmax_of_those_who_play(scores, seed, temperature):
    slots, score, playing, _ = slotted(scores, seed)
    got = np.asarray(weigher(temperature)(score, playing))
    np.testing.assert_allclose(got[slots], model.weights(score[slots], temperature), rtol=2e-6)
    assert (got[~playing] == 0).all()
    # As strong, as often: to the last bit.
    assert len(set(zip(score[slots], got[slots], strict=True))) == len(set(score[slots]))


def test_the_coldest_temperature_gives_everything_to_the_strongest():
    playing = np.array([True, True, True, False])
    got = weigher(1e-6)(np.array([0.5, -0.5, -0.4, -0.9], np.float32), playing)
    assert got.tolist() == [0, 1, 0, 0]


@given(
    SCORES,
    st.integers(0, 99),
    st.sampled_from([0.05, 0.6, 3.0]),
    st.sampled_from([1, 2, 3, 7, 24]),
)
def test_groups_go_by_share_fraction_and_age(scores, seed, temperature, groups):
    slots, score, playing, born = slotted(scores, seed)
    weight = np.asarray(weigher(temperature)(score, playing))
    counts, opponents = map(np.asarray, allocator(groups)(weight, playing, born))
    expected = model.allocation(weight[slots], groups)
    assert counts[slots].tolist() == expected
    assert counts.sum() == groups
    assert (counts[~playing] == 0).all()
    # The whole way, the model's own softmax included.
    assert expected == model.allocation(model.weights(score[slots], temperature), groups)
    assert opponents.tolist() == [
        slot for slot, count in zip(slots, expected, strict=True) for _ in range(count)
    ]


@pytest.mark.parametrize("groups", [1, 2, 3, 7, 24])
def test_of_equal_entries_the_older_get_the_rest(groups):
    for n in range(1, SLOTS + 1):
        slots, _, playing, born = slotted([0.25] * n, seed=n)
        weight = weigher(0.6)(np.full(SLOTS, 0.25, np.float32), playing)
        counts, _ = allocator(groups)(weight, playing, born)
        rest = groups % n
        assert counts[slots].tolist() == [groups // n + 1] * rest + [groups // n] * (n - rest)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=SLOTS), st.integers(0, 99))
def test_shares_of_equal_fraction_as_rounded_tie(parts, seed):
    """Fractions are those of the rounded shares, as an oracle in float32 has them."""
    slots, _, playing, born = slotted([0.0] * len(parts), seed)
    weight = np.zeros(SLOTS, np.float32)
    weight[slots] = np.array(parts, np.float32) / np.float32(sum(parts))
    counts, _ = allocator(24)(weight, playing, born)
    assert counts[slots].tolist() == model.allocation(weight[slots], 24)


def test_no_weight_can_lose_or_make_a_group():
    rng = np.random.default_rng(0)
    share = rng.random((20_000, SLOTS), np.float32) ** 8
    share /= share.sum(axis=1, keepdims=True, dtype=np.float32)
    run = jax.jit(jax.vmap(functools.partial(allocate, groups=1023), (0, None, None)))
    counts = run(share, jnp.ones(SLOTS, jnp.bool_), jnp.arange(SLOTS))
    assert (np.asarray(counts).sum(axis=1) == 1023).all()
    expected = [model.allocation(row, 1023) for row in share[:500]]
    assert np.asarray(counts)[:500].tolist() == expected
