"""State digests: 64 bits that name every bit of a state, computed where the state lives.

The formula is specified in `docs/determinism.md` ("Digests") and versioned by `DIGEST_VERSION`.
A leaf's digest is two uint32 lanes, each a wrapping sum of an avalanche mix of (element bits,
element index): the sum may be taken in any order, so the reduction is free to be parallel.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

DIGEST_VERSION = "d1"

_GOLDEN = 0x9E3779B1  # 2**32 over the golden ratio, odd: spreads neighbouring indices
_LANE = 0xC2B2AE3D  # odd: the second lane sees the bits through another bijection
_STATE = ""  # the name under which the leaves' digests are themselves a leaf; no path is empty

_BITS_DTYPES = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}
_DTYPES = ("bool", "int8", "int16", "int32", "uint8", "uint16", "uint32")
_DTYPES += ("float16", "bfloat16", "float32")

# Small leaves share one kernel, in rows: a kernel each costs 0.13 s of compiling a leaf on CPU.
_ROW = 128
_SHARED_MAX = 1 << 18  # elements; above, a leaf's own kernel spares the copy into rows


def leaf_digests(tree: Any, *, prefix: str = "") -> tuple[tuple[str, ...], jax.Array]:
    """Digest every leaf of a pytree of arrays; traceable, all in uint32 arithmetic.

    Args:
        tree: A pytree of arrays (bool, integers and floats of at most 32 bits, typed PRNG keys).
        prefix: Put before every path; a part of a state is digested under its path in the whole.

    Returns:
        The leaves' paths in sorted order (static), and their digests, `[L, 2] uint32`.

    Raises:
        TypeError: A leaf is of a dtype that has no 32-bit pattern.
        ValueError: Two leaves have one path, or a leaf has an empty one.
    """
    named = _named(tree, prefix)
    paths = tuple(sorted(named))
    return paths, _digests(paths, [named[path] for path in paths])


def leaf_paths(tree: Any, *, prefix: str = "") -> tuple[str, ...]:
    """Return the paths that `leaf_digests` would; the tree may hold shapes instead of arrays."""
    return tuple(sorted(_named(tree, prefix)))


def _named(tree: Any, prefix: str) -> dict[str, Any]:
    flat = jax.tree_util.tree_flatten_with_path(tree)[0]
    named = {prefix + jax.tree_util.keystr(p, simple=True, separator="/"): x for p, x in flat}
    if len(named) != len(flat):
        raise ValueError("two leaves of the state have the same path: a key holds a '/'")
    if _STATE in named:
        raise ValueError("a state is a tree: a bare array has no path; give a prefix")
    return named


def combine(digests: Any, paths: Sequence[str]) -> jax.Array:
    """Combine leaves' digests `[L, 2] uint32` into the state's, `[2] uint32`; traceable.

    The leaves are taken in sorted order of their paths; their digests then are one more leaf.
    """
    order = sorted(range(len(paths)), key=paths.__getitem__)
    digests = jnp.asarray(digests, jnp.uint32)
    if order != list(range(len(paths))):
        digests = digests[np.asarray(order)]
    return _digests((_STATE,), [digests])[0]


def to_hex(digest: Any) -> str:
    """Write one digest `[2] uint32`, on the host, as 16 hexadecimal digits."""
    first, second = (int(lane) for lane in np.asarray(digest, np.uint32))
    return f"{first:08x}{second:08x}"


def _digests(paths: Sequence[str], leaves: Sequence[Any]) -> jax.Array:
    """Digest named leaves: `L` arrays -> `[L, 2] uint32`."""
    if not paths:
        return jnp.zeros((0, 2), jnp.uint32)
    seeds = np.stack([_seeds(p, x.dtype, x.shape) for p, x in zip(paths, leaves, strict=True)])
    arrays = [_array(path, leaf) for path, leaf in zip(paths, leaves, strict=True)]
    # A digest must not change how the computations that produce the leaves are fused.
    elements = [_movable(array) for array in lax.optimization_barrier(arrays)]
    groups: dict[Any, list[int]] = {}
    for i, leaf in enumerate(elements):
        groups.setdefault(leaf.dtype if leaf.size <= _SHARED_MAX else i, []).append(i)
    sums = [_group_sums([elements[i] for i in g], seeds[g]) for g in groups.values()]
    order = np.argsort([i for group in groups.values() for i in group])
    return _mix(jnp.concatenate(sums)[order] + seeds[:, 2:])


def _seeds(path: str, dtype: Any, shape: Sequence[int]) -> np.ndarray:
    """Return four words that stand for a leaf's path, dtype and shape, known when traced."""
    text = "\0".join((DIGEST_VERSION, path, str(dtype), ",".join(map(str, shape))))
    return np.frombuffer(hashlib.sha256(text.encode()).digest()[:16], ">u4").astype(np.uint32)


def _array(path: str, leaf: Any) -> jax.Array:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if str(leaf.dtype) not in _DTYPES:
        raise TypeError(
            f"{path}: a {leaf.dtype} array has no digest; allowed: {', '.join(_DTYPES)}"
        )
    return jnp.asarray(leaf)


def _movable(array: jax.Array) -> jax.Array:
    """Return the elements in row-major order, `[N]`, in a dtype whose bits survive being moved.

    XLA may quiet a 16-bit NaN that it moves as a float. Wider ones stay as they are: concatenated
    and then cast, 50 leaves compile in 0.15 s on CPU; cast and then concatenated, in 0.75 s.
    """
    elements = array.reshape(math.prod(array.shape))
    if elements.dtype == jnp.bool_:
        return elements.astype(jnp.uint8)
    if elements.dtype.itemsize == 2:
        return lax.bitcast_convert_type(elements, jnp.uint16)
    return elements


def _bits(elements: jax.Array) -> jax.Array:
    bits = lax.bitcast_convert_type(elements, _BITS_DTYPES[elements.dtype.itemsize])
    return bits.astype(jnp.uint32)


def _group_sums(leaves: Sequence[jax.Array], seeds: np.ndarray) -> jax.Array:
    """Sum the mixed elements of leaves of one dtype: `G` leaves `[N_g]` -> `[G, 2] uint32`."""
    if len(leaves) == 1:
        index = lax.iota(jnp.uint32, leaves[0].size)
        lanes = _lanes(_bits(leaves[0]), index, seeds[0, 0], seeds[0, 1])
        return jnp.stack(_sum_lanes(lanes, axis=0))[None]
    sizes = [leaf.size for leaf in leaves]
    rows = [-(-size // _ROW) for size in sizes]
    parts: list[Any] = []
    for leaf, size, count in zip(leaves, sizes, rows, strict=True):
        parts += [leaf, np.zeros(count * _ROW - size, leaf.dtype)]
    bits = _bits(jnp.concatenate(parts)).reshape(sum(rows), _ROW)
    owner = np.repeat(np.arange(len(leaves), dtype=np.int32), rows)
    first = np.concatenate([np.arange(count, dtype=np.uint32) * _ROW for count in rows])
    index = jnp.asarray(first)[:, None] + lax.broadcasted_iota(jnp.uint32, bits.shape, 1)
    lanes = _lanes(bits, index, seeds[owner, 0][:, None], seeds[owner, 1][:, None])
    is_element = index < np.asarray(sizes, np.uint32)[owner][:, None]
    lanes = tuple(jnp.where(is_element, lane, jnp.uint32(0)) for lane in lanes)
    row_sums = jnp.stack(_sum_lanes(lanes, axis=1), axis=1)
    return jax.ops.segment_sum(row_sums, owner, len(leaves), indices_are_sorted=True)


def _lanes(
    bits: jax.Array, index: jax.Array, index_seed: Any, lane_seed: Any
) -> tuple[jax.Array, jax.Array]:
    place = _mix(index * jnp.uint32(_GOLDEN) + index_seed)
    turned = (place << 16) | (place >> 16)
    return _mix(bits ^ place), _mix(bits * jnp.uint32(_LANE) + (turned ^ lane_seed))


def _sum_lanes(lanes: tuple[jax.Array, ...], axis: int) -> Sequence[jax.Array]:
    """Sum both lanes in one pass; two reductions would mix every index twice."""
    zero = jnp.uint32(0)
    return lax.reduce(
        lanes, (zero, zero), lambda a, b: (a[0] + b[0], a[1] + b[1]), dimensions=(axis,)
    )


def _mix(x: jax.Array) -> jax.Array:
    """Avalanche 32 bits, a bijection (`lowbias32` of Wellons' hash prospector)."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)
