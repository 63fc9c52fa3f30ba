"""The contract test for a model of your own."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.models.base import Network, is_shape
from jaxpot.testing.closeness import equal
from jaxpot.testing.contract import require
from jaxpot.testing.network_play import play_faults
from jaxpot.testing.network_training import training_faults


def check_network(
    network: Network, *, batch: int = 5, seed: int = 0, tolerance: float = 1e-3
) -> None:
    """Checks that a network keeps to `jaxpot.models.base.Network`.

    Draws parameters twice with jax's key-reuse checker on, then evaluates random observations: as
    in play, as bools and, under `vmap` over parameters, as floats, and with other rows beside
    them; and as in training, under `grad`. What a recurrent network computes in training, along
    sequences in which games end, is compared with its steps in play. Running statistics must move
    with the rows that count and not with the others. Ranks may not be promoted silently.

    Args:
        network: What your config's `build` returned.
        batch: Rows of observations, at least 2.
        seed: Draws the parameters and the observations.
        tolerance: How far results may be apart that should be the same, relative to their size
            and, a tenth of it, absolute. A network that computes in bfloat16 needs about 0.05.

    Raises:
        ContractError: With everything that was found; the calls are checked only when the
            parameters hold.
        jax.errors.KeyReuseError: `init` or `train` uses a key twice.
        ValueError: A call gives logits or values of a wrong shape or dtype, or changes variables
            in play.
    """
    init_key, other_key = jax.random.split(jax.random.key(seed))
    draw = np.random.default_rng(seed)
    with jax.numpy_rank_promotion("raise"), jax.debug_key_reuse(True):
        params, model_state = network.init(init_key)
        again, _ = network.init(jax.random.clone(init_key))
        others, _ = network.init(other_key)
        require(network, "Network", _parameter_faults(params, model_state, again, others))
        steps = 4 if network.recurrent else 1
        observation = jax.tree.map(
            lambda shape: draw.random((steps, batch, *shape)) < 0.5,
            network.observation_shape,
            is_leaf=is_shape,
        )
        step = jax.jit(network.step)
        parts = (network, step, params, model_state, observation)
        faults = [
            *play_faults(*parts, others=others, tolerance=tolerance),
            *training_faults(*parts, draw=draw, tolerance=tolerance),
        ]
        require(network, "Network", faults)


def _parameter_faults(params: Any, model_state: Any, again: Any, others: Any) -> Iterator[str]:
    for name, tree in {"params": params, "model_state": model_state}.items():
        yield from (f"{name}{fault}" for fault in _tree_faults(tree))
    for path, leaf in jax.tree.leaves_with_path(params):
        if leaf.dtype != jnp.float32:
            yield f"params{jax.tree_util.keystr(path)} is {leaf.dtype}; expected float32"
    if not equal(params, again):
        yield "init gives other parameters when it is given the same key again"
    if equal(params, others):
        yield "init gives the same parameters for every key"


def _tree_faults(tree: Any, path: str = "") -> Iterator[str]:
    if isinstance(tree, dict):
        for key, child in tree.items():
            if not isinstance(key, str):
                yield f"{path} has the key {key!r}; expected strings"
            yield from _tree_faults(child, f"{path}[{key!r}]")
    elif not isinstance(tree, Array):
        yield f"{path} is a {type(tree).__name__}; expected nested dicts of arrays"
