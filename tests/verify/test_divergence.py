"""What two leaves differ in: bits, not numbers."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.verify.divergence import LeafDifference, compare_leaf


def test_equal_bits_are_no_difference():
    leaf = np.array([[np.nan, 1.0]], np.float32)
    assert compare_leaf("x", leaf, leaf.copy()) is None


def test_elements_are_counted_and_measured():
    a = np.array([[0.0, np.nan, 1.0], [2.0, 3.0, 4.0]], np.float32)
    b = np.array([[-0.0, 1.0, 1.5], [2.0, 3.0, 3.0]], np.float32)
    assert compare_leaf("x", a, b) == LeafDifference(
        path="x", a="float32[2, 3]", b="float32[2, 3]", elements=6, differing=4, largest=1.0
    )


@pytest.mark.parametrize(
    ("a", "b", "largest"),
    [
        (np.array([0], np.uint32), np.array([2**32 - 1], np.uint32), 2**32 - 1),
        (np.array(-(2**31), np.int32), np.array(2**31 - 1, np.int32), 2**32 - 1),
        (np.array([True]), np.array([False]), 1),
        (np.asarray(jnp.ones(1, jnp.bfloat16)), np.asarray(jnp.zeros(1, jnp.bfloat16)), 1.0),
        (np.array([np.nan], np.float32), np.array([0], np.float32), None),
    ],
)
def test_differences_neither_wrap_nor_round(a, b, largest):
    found = compare_leaf("x", a, b)
    assert found is not None
    assert found.largest == largest


def test_other_shapes_are_named_not_measured():
    found = compare_leaf("x", np.zeros(2), None)
    assert found == LeafDifference(path="x", a="float64[2]", b=None)
    found = compare_leaf("x", np.zeros(2), np.zeros((2, 1)))
    assert found == LeafDifference(path="x", a="float64[2]", b="float64[2, 1]")
