"""What models make of an observation: one array or several, a board or none."""

import jax
import numpy as np
import pytest

from jaxpot.errors import UserError
from jaxpot.models.board import board_shape
from jaxpot.models.layers import flat_size, flatten
from jaxpot.spec.configs.models import needs_board
from tests.models.tiny import TINY, build, kind

TREE = {"hand": (3,), "board": {"mine": (2, 2), "theirs": (1,)}}
BOARDS = [config for config in TINY if needs_board(config)]
OTHERS = [config for config in TINY if not needs_board(config)]


def test_arrays_are_laid_side_by_side_by_their_sorted_keys():
    mine, theirs, hand = np.arange(8.0).reshape(2, 2, 2), np.full((2, 1), 8.0), np.full((2, 3), 9.0)
    row = flatten({"hand": hand, "board": {"theirs": theirs, "mine": mine}})
    np.testing.assert_array_equal(row[1], [4, 5, 6, 7, 8, 9, 9, 9])
    assert flat_size(TREE) == 8
    assert flat_size((3, 3, 2)) == 18


@pytest.mark.parametrize("config", OTHERS, ids=kind)
def test_several_arrays_are_one_row_to_a_perceptron(config):
    several, one = build(config, TREE), build(config, (8,))
    variables = one.init(jax.random.key(0))
    draw = np.random.default_rng(0)
    observation = {
        "board": {"mine": draw.random((2, 2, 2)) < 0.5, "theirs": draw.random((2, 1)) < 0.5},
        "hand": draw.random((2, 3)) < 0.5,
    }
    steps = jax.jit(
        lambda seen: [
            network.step(variables, x, network.initial_carry(2))[0].logits
            for network, x in ((several, seen), (one, flatten(seen)))
        ]
    )
    np.testing.assert_allclose(*steps(observation), atol=1e-6)


@pytest.mark.parametrize("config", BOARDS, ids=kind)
@pytest.mark.parametrize("shape", [(9,), (3, 3), (2, 3, 4, 5), {"board": (3, 3, 2)}])
def test_networks_over_a_board_take_nothing_else(config, shape):
    with pytest.raises(UserError, match=rf"{config.kind} needs observations \[height"):
        build(config, shape)


def test_a_board_has_three_axes():
    assert board_shape((3, 4, 2), kind="resnet") == (3, 4, 2)
