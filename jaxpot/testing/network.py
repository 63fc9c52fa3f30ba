"""The contract test for a model of your own."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.models.base import Network, Params
from jaxpot.testing.contract import require

_RTOL, _ATOL = 1e-3, 1e-4


def check_network(network: Network, *, batch: int = 5, seed: int = 0) -> None:
    """Checks that a network keeps to `jaxpot.models.base.Network`.

    Draws parameters twice with jax's key-reuse checker on, then evaluates random observations:
    whole and row by row, as bools and as floats, under `vmap` over parameters and under `grad`.
    Ranks may not be promoted silently.

    Args:
        network: What your config's `build` returned.
        batch: Rows of observations, at least 2.
        seed: Draws the parameters and the observations.

    Raises:
        ContractError: With everything that was found; the calls are checked only when the
            parameters hold.
        jax.errors.KeyReuseError: `init` uses a key twice.
        ValueError: A call gives logits or values of a wrong shape or dtype.
    """
    init_key, other_key, observation_key = jax.random.split(jax.random.key(seed), 3)
    observation = jax.random.bernoulli(observation_key, 0.5, (batch, *network.observation_shape))
    with jax.numpy_rank_promotion("raise"):
        init = jax.jit(network.init)
        with jax.debug_key_reuse(True):
            params, model_state = init(init_key)
            again, _ = init(jax.random.clone(init_key))
            others, _ = init(other_key)
        require(network, "Network", _parameter_faults(params, model_state, again, others))
        require(network, "Network", _call_faults(network, params, others, model_state, observation))


def _parameter_faults(params: Any, model_state: Any, again: Any, others: Any) -> Iterator[str]:
    for name, tree in {"params": params, "model_state": model_state}.items():
        yield from (f"{name}{fault}" for fault in _tree_faults(tree))
    for path, leaf in jax.tree.leaves_with_path(params):
        if leaf.dtype != jnp.float32:
            yield f"params{jax.tree_util.keystr(path)} is {leaf.dtype}; expected float32"
    if not _equal(params, again):
        yield "init gives other parameters when it is given the same key again"
    if _equal(params, others):
        yield "init gives the same parameters for every key"


def _tree_faults(tree: Any, path: str = "") -> Iterator[str]:
    if isinstance(tree, dict):
        for key, child in tree.items():
            if not isinstance(key, str):
                yield f"{path} has the key {key!r}; expected strings"
            yield from _tree_faults(child, f"{path}[{key!r}]")
    elif not isinstance(tree, Array):
        yield f"{path} is a {type(tree).__name__}; expected nested dicts of arrays"


def _call_faults(
    network: Network, params: Params, others: Params, model_state: Params, observation: Array
) -> Iterator[str]:
    apply = jax.jit(network.apply)
    outputs = apply(params, model_state, observation)
    if not _finite(outputs):
        yield "gives logits or values that are not finite, for parameters as drawn"
    if not _close(outputs, apply(params, model_state, observation.astype(jnp.float32))):
        yield "gives other results for bool observations than for the same ones as float32"
    rows = [apply(params, model_state, row[None]) for row in observation]
    if not _close(outputs, jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *rows)):
        yield "lets the rows of a batch influence each other"

    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), params, others)
    mapped = jax.jit(jax.vmap(network.apply, in_axes=(0, None, None)))
    if not _close(
        jax.tree.map(lambda leaf: leaf[0], mapped(both, model_state, observation)), outputs
    ):
        yield "gives other results under vmap over the parameters"

    def total(params: Params) -> Array:
        logits, value = network.apply(params, model_state, observation)
        return jnp.square(logits).sum() + jnp.square(value - 1.0).sum()

    gradient = jax.jit(jax.grad(total))(params)
    if not _finite(gradient):
        yield "has gradients that are not finite"
    for path, leaf in jax.tree.leaves_with_path(gradient):
        if not np.any(leaf):
            yield f"params{jax.tree_util.keystr(path)} never gets a gradient"


def _equal(tree: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    leaves, other_leaves = jax.tree.leaves(tree), jax.tree.leaves(other)
    return len(leaves) == len(other_leaves) and all(
        np.asarray(leaf).tobytes() == np.asarray(other_leaf).tobytes()
        for leaf, other_leaf in zip(leaves, other_leaves, strict=True)
    )


def _finite(tree: Any) -> bool:
    return all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))


def _close(tree: Any, other: Any) -> bool:
    return all(
        np.allclose(leaf, other_leaf, rtol=_RTOL, atol=_ATOL)
        for leaf, other_leaf in zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    )
