"""The state digest against an independent implementation of its documented formula."""

import hashlib
import struct
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxpot.loop import digest
from jaxpot.loop.digest import DIGEST_VERSION, combine, leaf_digests, to_hex

M = 0xFFFFFFFF


@jax.jit
def both_digests(tree: Any) -> tuple[jax.Array, jax.Array]:
    paths, leaves = leaf_digests(tree)
    return leaves, combine(leaves, paths)


def state_digest(tree: Any) -> str:
    return to_hex(both_digests(tree)[1])


# The formula of docs/determinism.md in plain Python integers, sharing nothing with the code.


def mix(x: int) -> int:
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & M
    x = ((x ^ (x >> 15)) * 0x846CA68B) & M
    return x ^ (x >> 16)


def leaf_by_hand(path: str, dtype: str, shape: tuple[int, ...], words: list[int]) -> list[int]:
    text = "d1\0" + path + "\0" + dtype + "\0" + ",".join(str(n) for n in shape)
    s0, s1, s2, s3 = struct.unpack(">4I", hashlib.sha256(text.encode()).digest()[:16])
    first = second = 0
    for i, b in enumerate(words):
        place = mix((i * 0x9E3779B1 + s0) & M)
        rot16 = ((place << 16) & M) | (place >> 16)
        first += mix(b ^ place)
        second += mix((b * 0xC2B2AE3D + (rot16 ^ s1)) & M)
    return [mix((s2 + first) & M), mix((s3 + second) & M)]


def words_of(array: np.ndarray) -> list[int]:
    width = array.dtype.itemsize
    raw = np.ascontiguousarray(array).tobytes()
    return [int.from_bytes(raw[i : i + width], "little") for i in range(0, len(raw), width)]


def state_by_hand(leaves: dict[str, np.ndarray]) -> str:
    digests = [
        leaf_by_hand(path, leaves[path].dtype.name, leaves[path].shape, words_of(leaves[path]))
        for path in sorted(leaves)
    ]
    flat = [word for pair in digests for word in pair]
    return "{:08x}{:08x}".format(*leaf_by_hand("", "uint32", (len(digests), 2), flat))


DTYPES = [np.dtype(name) for name in digest._DTYPES if name != "bfloat16"]
DTYPES.append(np.dtype(ml_dtypes.bfloat16))


def an_array(dtype: np.dtype, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(bool)
    raw = rng.integers(0, 256, (*shape, dtype.itemsize), np.uint8)
    return raw.view(dtype).reshape(shape)


def test_digest_version() -> None:
    assert DIGEST_VERSION == "d1"


SHAPES = [(), (0,), (3, 0), (1,), (5, 7), (2, 3, 129)]


def test_every_dtype_and_shape_by_the_documented_formula() -> None:
    leaves = {
        f"{dtype}/{i}": an_array(dtype, shape, i)
        for dtype in DTYPES
        for i, shape in enumerate(SHAPES)
    }
    tree: dict[str, dict[str, np.ndarray]] = {}
    for path, leaf in leaves.items():
        dtype, name = path.split("/")
        tree.setdefault(dtype, {})[name] = leaf
    digests, combined = both_digests(tree)
    for path, found in zip(sorted(leaves), digests.tolist(), strict=True):
        leaf = leaves[path]
        assert found == leaf_by_hand(path, leaf.dtype.name, leaf.shape, words_of(leaf)), path
    assert to_hex(combined) == state_by_hand(leaves)


@pytest.mark.slow
def test_a_leaf_in_a_kernel_of_its_own() -> None:
    for shape in [(), (0,), (300,)]:
        array = an_array(np.dtype(np.float32), shape)
        by_hand = leaf_by_hand("w", "float32", shape, words_of(array))
        assert leaf_digests({"w": array})[1].tolist() == [by_hand]


def test_a_large_leaf_is_digested_alone_and_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {name: an_array(np.dtype(np.float32), (40, 50), i) for i, name in enumerate("abc")}
    shared = leaf_digests(tree)[1].tolist()
    monkeypatch.setattr(digest, "_SHARED_MAX", 100)
    assert leaf_digests(tree)[1].tolist() == shared


@settings(max_examples=8, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="/"), min_size=1, max_size=4),
        hnp.arrays(
            st.sampled_from([np.float32, np.uint32, np.int8, np.bool_]),
            hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_state_is_digested_by_the_documented_formula(tree: dict[str, np.ndarray]) -> None:
    assert state_digest(tree) == state_by_hand(tree)


def test_every_single_bit_counts() -> None:
    words = np.random.default_rng(1).integers(0, 2**32, 6, np.uint32)
    flips = np.stack([words] + [words ^ (np.arange(6) == i) * np.uint32(1 << b)
                                for i in range(6) for b in range(32)])  # fmt: skip
    flips = flips.astype(np.uint32)

    @jax.jit
    def digests(rows: jax.Array) -> jax.Array:
        return jax.lax.map(lambda row: leaf_digests({"w": row})[1][0], rows)

    found = np.asarray(digests(jnp.asarray(flips)))
    assert len({tuple(row) for row in found.tolist()}) == 1 + 6 * 32
    assert len(set(found[:, 0].tolist())) == len(set(found[:, 1].tolist())) == 1 + 6 * 32


def test_both_lanes_avalanche() -> None:
    base = np.zeros(64, np.uint32)
    reference = np.asarray(both_digests({"w": base})[0])
    changed = []
    for bit in range(32):
        flipped = base.copy()
        flipped[bit] = 1 << bit
        moved = np.asarray(both_digests({"w": flipped})[0]) ^ reference
        changed += [int(lane).bit_count() for lane in moved.ravel()]
    assert 13 < np.mean(changed) < 19


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"w": np.float32([1, 2])}, {"w": np.float32([2, 1])}),
        ({"w": np.float32([0.0])}, {"w": np.float32([-0.0])}),
        ({"w": np.zeros((2, 3), np.float32)}, {"w": np.zeros((3, 2), np.float32)}),
        ({"w": np.zeros(3, np.float32)}, {"w": np.zeros(3, np.int32)}),
        ({"w": np.zeros(3, np.float16)}, {"w": np.zeros(3, ml_dtypes.bfloat16)}),
        ({"w": np.zeros(0, np.float32)}, {"w": np.zeros((0, 1), np.float32)}),
        ({"a": np.ones(2), "b": np.zeros(2)}, {"a": np.zeros(2), "b": np.ones(2)}),
        ({"a": np.ones(2)}, {"b": np.ones(2)}),
        ({"a": np.ones(2)}, {"a": np.ones(2), "b": np.zeros(0)}),
    ],
    ids=["swap", "sign of zero", "shape", "dtype", "half", "empty shape", "moved leaves",
         "renamed", "empty leaf"],
)  # fmt: skip
def test_a_difference_shows(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    def narrow(tree: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in tree.items()}

    assert state_digest(narrow(one)) != state_digest(narrow(other))


def test_nans_count_with_their_bits() -> None:
    bits = [0x7FC00000, 0x7FC00001, 0xFFC00000, 0x7F800001]
    nans = [np.uint32([b]).view(np.float32) for b in bits]
    assert len({state_digest({"w": nan}) for nan in nans}) == len(bits)


def test_denormals_count() -> None:
    assert state_digest({"w": np.uint32([1]).view(np.float32)}) != state_digest(
        {"w": np.float32([0])}
    )


def test_jit_and_eager_agree() -> None:
    tree = {
        "k": jax.random.key(3),
        "t": (jnp.float32(1), [jnp.arange(300, dtype=jnp.int32)]),
        "w": jnp.linspace(0, 1, 1000),
    }
    paths, eager = leaf_digests(tree)
    assert paths == ("k", "t/0", "t/1/0", "w")
    assert jax.jit(lambda t: leaf_digests(t)[1])(tree).tolist() == eager.tolist()
    jitted = jax.jit(lambda d: combine(d, paths))(eager)
    assert to_hex(jitted) == state_digest(tree)


def test_a_typed_key_is_its_key_data() -> None:
    key = jax.random.key(7)
    data = [int(word) for word in jax.random.key_data(key)]
    assert leaf_digests({"k": key})[1].tolist() == [leaf_by_hand("k", "key<fry>", (), data)]


def test_combining_sorts_by_path_and_parts_may_be_digested_apart() -> None:
    tree = {"b": jnp.ones(3), "a": {"x": jnp.zeros(2, jnp.int32)}}
    paths, digests = leaf_digests(tree)
    part_b, digest_b = leaf_digests({"b": tree["b"]})
    part_a, digest_a = leaf_digests(tree["a"], prefix="a/")
    assert set(part_a + part_b) == set(paths)
    apart = combine(jnp.concatenate([digest_b, digest_a]), part_b + part_a)
    assert to_hex(apart) == to_hex(combine(digests, paths)) == state_digest(tree)


def test_to_hex() -> None:
    assert to_hex(np.array([0x0000ABCD, 1], np.uint32)) == "0000abcd00000001"


def test_what_has_no_digest_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^w: a float64 array has no digest"):
        leaf_digests({"w": np.zeros(2)})
    with pytest.raises(ValueError, match="same path"):
        leaf_digests({"a": {"b": jnp.ones(1)}, "a/b": jnp.ones(1)})
    with pytest.raises(ValueError, match="no path"):
        leaf_digests(jnp.ones(1))


def test_no_leaf_at_all() -> None:
    paths, digests = leaf_digests({})
    assert (paths, digests.shape) == ((), (0, 2))
    assert state_digest({}) == state_by_hand({})


@pytest.mark.slow
def test_few_kernels_are_traced_for_many_leaves() -> None:
    tree = {f"layer_{i}": jnp.ones((4, i + 1)) for i in range(40)}
    jaxpr = str(jax.make_jaxpr(lambda t: leaf_digests(t)[1])(tree))
    assert jaxpr.count("reduce[") <= 2
