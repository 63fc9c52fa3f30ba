"""The random-number contract v1: one key chain for the collectors, one named stream for the rest.

Every key of a run is a pure function of the seed, the iteration and a name. So a resumed run draws
the same numbers as an unstopped one, and a new consumer changes no other consumer's numbers.
"""

import hashlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.loop.graph import PhaseGraph

CONTRACT = "v1"
IMPLEMENTATION = "threefry2x32"
_NAMED_STREAM = 0x80000000


class CollectorKeys(NamedTuple):
    """The four collectors' keys of one iteration; all four exist whichever collectors are on."""

    selfplay: Array
    random: Array
    league: Array
    archive: Array


def root_key(seed: int) -> Array:
    """Return `K`, the key from which everything in a run with `seed` is derived."""
    return jax.random.key(seed, impl=IMPLEMENTATION)


def root_key_data(seed: int) -> np.ndarray:
    """Return the root key's two words, `[2]` uint32, on the host and without compiling."""
    return np.array([0, seed], np.uint32)


def advance_chain(key: Array, iteration: Array | int) -> tuple[Array, CollectorKeys]:
    """Advance the chain by one iteration.

    Args:
        key: `key_t`, a scalar typed key.
        iteration: `t`, from 0.

    Returns:
        `key_{t+1}` and the collectors' keys of iteration `t`, by one five-way split of
        `fold_in(key_t, t)`; a two-way split followed by a four-way one gives other keys.
    """
    following, *collectors = jax.random.split(jax.random.fold_in(key, iteration), 5)
    return following, CollectorKeys(*collectors)


def stream_tag(name: str) -> int:
    """Return the 32-bit tag of the stream called `name`; its top bit is always set."""
    return _NAMED_STREAM | (int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) & 0x7FFFFFFF)


def stream_key(root: Array, name: str, iteration: Array | int) -> Array:
    """Return the key of the stream `name` at `iteration`, independent of chain and neighbours."""
    stream = jax.random.fold_in(root, jnp.uint32(stream_tag(name)))
    return jax.random.fold_in(stream, iteration)


def key_report(graph: PhaseGraph, seed: int, iterations: int) -> dict[str, Any]:
    """Return every stream's key data for the first `iterations` iterations, as plain data.

    `chain` is `key_{t+1}`; `init` is drawn once, at `t = 0`, and is listed there alone.
    """

    def words(key: Array) -> list[int]:
        return [int(word) for word in jax.random.key_data(key)]

    streams = dict.fromkeys(["init", *(name for p in graph.phases for name in p.streams)])
    root = root_key(seed)
    chain = root
    rows = []
    for t in range(iterations):
        chain, collectors = advance_chain(chain, t)
        names = [name for name in streams if t == 0 or name != "init"]
        rows.append(
            {
                "iter": t,
                "chain": words(chain),
                **{name: words(key) for name, key in collectors._asdict().items()},
                "streams": {name: words(stream_key(root, name, t)) for name in names},
            }
        )
    return {"contract": CONTRACT, "seed": seed, "iterations": rows}
