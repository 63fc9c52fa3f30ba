"""A batch in tiles against the batch whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.models.cpu.tiling import over_tiles


def double(x):
    return {"sum": 2.0 * x.sum(axis=1), "same": x}


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8, 9, 11])
def test_gives_every_row_once_and_in_order(rows):
    x = jnp.arange(3.0 * rows).reshape(rows, 3)
    got = jax.jit(lambda x: over_tiles(double, x, tile=4))(x)
    np.testing.assert_array_equal(got["same"], x)
    np.testing.assert_array_equal(got["sum"], double(x)["sum"])


def test_gradients_reach_what_the_function_closes_over():
    x = jnp.arange(10.0).reshape(5, 2)

    def total(weight):
        return over_tiles(lambda x: x * jnp.broadcast_to(weight, x.shape), x, tile=2).sum()

    np.testing.assert_allclose(jax.jit(jax.grad(total))(jnp.ones(2)), x.sum(axis=0))


def test_only_cpu_loops():
    def lowered(platform, rows):
        traced = jax.jit(lambda x: over_tiles(double, x, tile=4)).trace(jnp.zeros((rows, 3)))
        return traced.lower(lowering_platforms=(platform,)).as_text()

    assert "stablehlo.while" in lowered("cpu", 9)
    assert "stablehlo.while" not in lowered("cpu", 4)
    assert "stablehlo.while" not in lowered("cuda", 9)
