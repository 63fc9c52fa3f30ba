"""Trees of a module's variables: as nested dicts with string keys, and back."""

from collections.abc import Mapping
from typing import Any

import jax


def with_string_keys(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """Names the items of flax's lists "0", "1", ..., so that every key is a string."""
    return {
        str(key): with_string_keys(child) if isinstance(child, Mapping) else child
        for key, child in tree.items()
    }


def with_own_keys(template: Mapping[Any, Any], tree: Mapping[str, Any]) -> dict[Any, Any]:
    """Undoes `with_string_keys`, by the keys of the module's own abstract tree."""
    return {
        key: with_own_keys(child, tree[str(key)]) if isinstance(child, Mapping) else tree[str(key)]
        for key, child in template.items()
    }


def same_leaves(tree: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    """Says whether two trees hold the very same arrays, by identity."""
    leaves, other_leaves = jax.tree.leaves(tree), jax.tree.leaves(other)
    return len(leaves) == len(other_leaves) and all(
        leaf is other_leaf for leaf, other_leaf in zip(leaves, other_leaves, strict=True)
    )
