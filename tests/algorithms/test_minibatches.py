"""The shuffle is a permutation with the valid rows first; the loop visits each of them once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.minibatches import for_each_minibatch, shuffled_rows
from tests.marks import slow_except


@pytest.mark.parametrize("num_rows", [1, 2, 37, 1000, 2**16, 2**16 + 1])
def test_a_permutation_with_the_valid_rows_first(num_rows):
    valid = np.random.default_rng(num_rows).random(num_rows) < 0.7
    order = np.asarray(jax.jit(shuffled_rows)(jax.random.key(1), jnp.asarray(valid)))
    np.testing.assert_array_equal(np.sort(order), np.arange(num_rows))
    assert valid[order][: valid.sum()].all()
    assert not valid[order][valid.sum() :].any()


@pytest.mark.parametrize("num_rows", slow_except([512, 2**16 + 512], 512))
def test_every_place_is_equally_likely(num_rows):
    keys = jax.random.split(jax.random.key(0), 64)
    orders = jax.jit(jax.vmap(lambda k: shuffled_rows(k, jnp.ones(num_rows, bool))))(keys)
    # Row 0's place over 64 shuffles: mean (n-1)/2, standard deviation n / sqrt(12 * 64).
    places = np.argmin(np.asarray(orders), axis=1)
    assert abs(places.mean() - (num_rows - 1) / 2) < 5 * num_rows / np.sqrt(12 * 64)
    assert len({tuple(order[:16]) for order in np.asarray(orders)}) == 64


@pytest.mark.parametrize("num_valid", [1, 7, 8, 9, 20])
@pytest.mark.parametrize("num_epochs", [1, 3])
def test_every_valid_row_is_visited_once_an_epoch_in_one_compile(num_valid, num_epochs):
    num_rows, batch_size = 20, 8

    @jax.jit
    def visits(valid, num_valid):
        order = shuffled_rows(jax.random.key(3), valid)

        def body(carry, minibatch, mask):
            counts, sizes = carry
            counts = counts.at[minibatch["row"]].add(mask.astype(jnp.int32))
            return counts, sizes + mask.sum()

        return for_each_minibatch(
            body,
            (jnp.zeros(num_rows, jnp.int32), jnp.int32(0)),
            rows={"row": jnp.arange(num_rows)},
            orders=order[None],
            num_valid=num_valid,
            batch_size=batch_size,
            num_epochs=num_epochs,
        )

    valid = np.zeros(num_rows, bool)
    valid[np.random.default_rng(num_valid).permutation(num_rows)[:num_valid]] = True
    (counts, sizes), total = visits(jnp.asarray(valid), jnp.int32(num_valid))
    np.testing.assert_array_equal(counts, num_epochs * valid)
    assert sizes == num_valid * num_epochs
    assert total == num_epochs * -(-num_valid // batch_size)


def test_each_epoch_takes_its_own_order():
    orders = jnp.array([[0, 1, 2, 3], [3, 2, 1, 0]])

    def body(seen, minibatch, mask):
        del mask
        return jnp.concatenate([seen[2:], minibatch])

    seen, _ = for_each_minibatch(
        body,
        jnp.zeros(8, jnp.int32),
        rows=jnp.arange(4),
        orders=orders,
        num_valid=jnp.int32(4),
        batch_size=2,
        num_epochs=2,
    )
    np.testing.assert_array_equal(seen, [0, 1, 2, 3, 3, 2, 1, 0])
