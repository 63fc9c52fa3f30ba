"""The random-number contract v1, against the contract's own words and pinned by snapshot."""

import hashlib

import jax
import numpy as np
import pytest

from jaxpot.loop.phases import compile_graph
from jaxpot.loop.streams import (
    advance_chain,
    key_report,
    root_key,
    root_key_data,
    stream_key,
    stream_tag,
)
from tests.tiny import tiny_experiment


def data(key):
    return np.asarray(jax.random.key_data(key)).tolist()


@pytest.mark.parametrize("seed", [0, 1, 42, 2**31 - 1, 2**31, 2**32 - 1])
def test_the_root_key_is_jaxs(seed):
    assert root_key_data(seed).tolist() == data(jax.random.key(seed)) == data(root_key(seed))


def test_the_chain_is_one_five_way_split_of_the_folded_key():
    key = jax.random.key(42)
    for t in range(3):
        expected = jax.random.split(jax.random.fold_in(key, t), 5)
        following, collectors = advance_chain(key, t)
        assert [data(following), *map(data, collectors)] == [data(k) for k in expected]
        key = following


def test_named_streams_follow_the_contracts_formula():
    root = jax.random.key(7)
    for name in ("init", "shuffle", "dropout", "search", "eval/vs_random"):
        tag = 0x80000000 | (int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) & 0x7FFFFFFF)
        assert stream_tag(name) == tag
        expected = jax.random.fold_in(jax.random.fold_in(root, np.uint32(tag)), 5)
        assert data(stream_key(root, name, 5)) == data(expected)


def test_streams_depend_on_nothing_but_seed_name_and_iteration():
    root = jax.random.key(7)
    assert data(jax.jit(lambda t: stream_key(root, "shuffle", t))(5)) == data(
        stream_key(root, "shuffle", 5)
    )
    seen = {tuple(data(stream_key(root, n, t))) for n in ("init", "shuffle") for t in range(50)}
    assert len(seen) == 100


def test_the_report_of_every_stream(snapshot):
    assert key_report(compile_graph(tiny_experiment()), 42, 3) == snapshot


def test_the_report_at_the_largest_seed(snapshot):
    assert key_report(compile_graph(tiny_experiment()), 2**32 - 1, 1) == snapshot
