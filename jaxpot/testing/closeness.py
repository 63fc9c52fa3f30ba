"""How the contract of a network compares trees of arrays."""

from typing import Any

import jax
import numpy as np


def equal(tree: Any, other: Any) -> bool:
    """Says whether two trees have the same bits."""
    leaves, other_leaves = jax.tree.leaves(tree), jax.tree.leaves(other)
    return len(leaves) == len(other_leaves) and all(
        np.asarray(leaf).tobytes() == np.asarray(other_leaf).tobytes()
        for leaf, other_leaf in zip(leaves, other_leaves, strict=True)
    )


def close(tree: Any, other: Any, tolerance: float) -> bool:
    """Says whether two trees differ by rounding at most."""
    return all(
        np.allclose(np.asarray(leaf), np.asarray(other_leaf), rtol=tolerance, atol=0.1 * tolerance)
        for leaf, other_leaf in zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    )


def finite(tree: Any) -> bool:
    """Says whether every number of a tree is finite."""
    return all(bool(np.isfinite(np.asarray(leaf)).all()) for leaf in jax.tree.leaves(tree))
