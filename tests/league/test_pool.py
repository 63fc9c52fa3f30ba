"""Adds to the league in every order and size, against plain Python: who stays, and what is kept."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.league import ARCHIVE, empty_pool, empty_table, freeze, gather
from jaxpot.loop.digest import combine, leaf_digests
from jaxpot.loop.league import add_events, entries
from jaxpot.models.base import Variables
from tests.league.model import LeagueModel
from tests.marks import slow_except

SIZES = [(1, 0), (1, 1), (1, 5), (2, 2), (3, 0), (3, 1), (4, 3), (5, 5)]
SCORES = st.sampled_from([-0.5, -0.05, 0.0, 0.5]) | st.integers(-512, 512).map(lambda n: n / 512)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.none()),
        st.tuples(st.just("scores"), st.lists(SCORES, min_size=10, max_size=10)),
        st.tuples(st.just("activity"), st.lists(st.booleans(), min_size=10, max_size=10)),
        st.tuples(st.just("activity"), st.just([True] * 10)),
        # A turn of the league as it goes: it has been played, its archive judged, and it grows.
        st.tuples(st.just("turn"), st.lists(SCORES, min_size=10, max_size=10)),
        st.tuples(st.just("turn"), st.lists(SCORES, min_size=10, max_size=10)),
    ),
    min_size=8,
    max_size=40,
)


@functools.cache
def freezer(size, archive_size):
    def run(pool, table, network, born):
        paths, leaves = leaf_digests(network)
        digest = combine(leaves, paths)
        return freeze(
            pool, table, network, digest, frozen_at=born, size=size, archive_size=archive_size
        )

    return jax.jit(run, donate_argnums=(0, 1))


@functools.partial(jax.jit, donate_argnums=0)
def learn(network):
    return jax.tree.map(lambda x: x + jnp.ones((), x.dtype), network)


@jax.jit
def digest_of(network):
    paths, leaves = leaf_digests(network)
    return combine(leaves, paths)


def kept(tree):
    """Returns numpy arrays that share no memory with jax's, which so is free to be reused."""
    return jax.device_get(jax.tree.map(jnp.copy, tree))


def fresh():
    weight = jax.random.normal(jax.random.key(0), (3, 2))
    return Variables({"w": weight, "b": jnp.zeros(2)}, {"n": jnp.int32(0)})


def held(table):
    """What a table of arrays says of each entry, as the model does, the oldest first."""
    return [(e.name, e.place, e.active, np.float32(e.score), e.rollouts) for e in entries(table)]


def expected(rules):
    both = [("league", x) for x in rules.league] + [("archive", x) for x in rules.archive]
    return [
        (x.name, place, x.active, x.score, x.rollouts)
        for place, x in sorted(both, key=lambda pair: pair[1].born)
    ]


@settings(max_examples=20)
@pytest.mark.parametrize(("size", "archive_size"), slow_except(SIZES, (3, 1)))
@given(STEPS)
def test_sequences_keep_to_the_rules_and_entries_never_change(size, archive_size, steps):
    rules = LeagueModel(size=size, archive_size=archive_size, alpha=0.5, margin=0)
    network, slots = fresh(), size + archive_size
    pool, table = empty_pool(network, slots), empty_table(slots)
    born = 0
    for step, argument in steps:
        if step in ("scores", "turn"):
            for entry, score in zip(rules.league + rules.archive, argument, strict=False):
                entry.score = np.float32(score)
                entry.rollouts += 1
                mine = table.born == entry.born
                table = table._replace(
                    score=jnp.where(mine, entry.score, table.score),
                    rollouts=table.rollouts + mine.astype(jnp.uint32),
                )
        if step in ("activity", "turn"):
            for entry, active in zip(rules.archive, argument, strict=False):
                entry.active = bool(active if step == "activity" else active < 0)
            recalled = np.isin(table.born, [x.born for x in rules.archive if x.active])
            table = table._replace(active=jnp.asarray(recalled & (table.place == ARCHIVE)))
        if step in ("add", "turn"):
            born += 3
            digest = np.asarray(digest_of(network))
            happened = rules.add(born, kept(network))
            before = kept(table)
            pool, table, frozen = freezer(size, archive_size)(pool, table, network, born)
            np.testing.assert_array_equal(frozen.digest, digest)
            reported = list(add_events(before, jax.device_get(frozen), born))
            assert [(event, payload["name"]) for event, payload in reported] == happened
        network = learn(network)
        assert held(kept(table)) == expected(rules)
        by_born = {x.born: x.params for x in rules.league + rules.archive}
        for slot in np.flatnonzero(table.place):
            entry_params = by_born[int(table.born[slot])]
            jax.tree.map(np.testing.assert_array_equal, gather(pool, slot), entry_params)


def test_the_strongest_archived_entry_is_the_last_to_leave():
    run = freezer(1, 2)
    network = fresh()
    pool, table = empty_pool(network, 3), empty_table(3)
    scores = {1: 0.5, 2: -0.5}
    for born in (1, 2, 3, 4):
        pool, table, _ = run(pool, table, network, born)
        # Each is weak while it is in the league, so that the next one takes its place.
        weak = jnp.where(table.born == born, 0.1, table.score)
        archived = table.place == ARCHIVE
        for old, score in scores.items():
            weak = jnp.where(archived & (table.born == old), score, weak)
        table = table._replace(score=weak)
    names = {e.name: e.place for e in entries(jax.device_get(table))}
    assert names == {"iter_000002": "archive", "iter_000003": "archive", "iter_000004": "league"}


def test_active_entries_outstay_stronger_inactive_ones():
    run = freezer(1, 2)
    network = fresh()
    pool, table = empty_pool(network, 3), empty_table(3)
    for born in (1, 2, 3):
        pool, table, _ = run(pool, table, network, born)
        table = table._replace(score=jnp.where(table.born == born, 0.9, table.score))
    # iter_1 is the weaker of the archived and recalled, iter_2 the stronger and not.
    table = table._replace(
        active=table.born == 1,
        score=jnp.select([table.born == 1, table.born == 2], [0.7, -0.7], table.score),
    )
    _, table, frozen = run(pool, table, network, 4)
    held = entries(jax.device_get(table))
    # iter_3 (0.9) overflows: inactive and the weakest of the inactive, it is dropped itself.
    assert [e.name for e in held] == ["iter_000001", "iter_000002", "iter_000004"]
    assert int(frozen.archived) == int(frozen.dropped) >= 0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "bool", "uint32"])
def test_every_dtype_is_kept_to_the_bit(dtype):
    bits = np.random.default_rng(0).integers(0, 256, 64, np.uint8)
    leaf = jnp.asarray(bits % 2 == 1 if dtype == "bool" else bits).astype(dtype)
    network = Variables({"w": leaf})
    pool, table, _ = freezer(1, 1)(empty_pool(network, 2), empty_table(2), network, 1)
    kept = gather(pool, np.flatnonzero(table.place)[0]).params["w"]
    assert kept.dtype == leaf.dtype
    assert np.asarray(kept).tobytes() == np.asarray(leaf).tobytes()


def test_gather_takes_one_network_a_group():
    pool = {"w": jnp.arange(6.0).reshape(3, 2)}
    assert gather(pool, jnp.array([2, 0, 2]))["w"].tolist() == [[4, 5], [0, 1], [4, 5]]


def test_a_freeze_writes_into_the_pool_that_it_was_given():
    """The pool is changed where it lies: nothing of its size is made beside it."""
    network = Variables({"w": jnp.ones(50_000)})
    pool, table = empty_pool(network, 8), empty_table(8)
    run = freezer(5, 3)
    memory = run.lower(pool, table, network, 1).compile().memory_analysis()
    assert memory.alias_size_in_bytes >= pool.params["w"].nbytes
    assert memory.temp_size_in_bytes < 4 * network.params["w"].nbytes
    where = pool.params["w"].unsafe_buffer_pointer()
    after, *_ = run(pool, table, network, 1)
    assert after.params["w"].unsafe_buffer_pointer() == where
    assert network.params["w"].unsafe_buffer_pointer() != where
