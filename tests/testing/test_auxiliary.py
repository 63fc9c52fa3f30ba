"""The contract of auxiliary losses: jaxpot's own keep it, and every breach is named."""

import attrs
import jax
import jax.numpy as jnp
import pytest

from jaxpot.algorithms.auxiliary_losses import build_game_progress, build_opponent_hand
from jaxpot.spec import GameProgress, OpponentHand
from jaxpot.testing import ContractError, check_auxiliary_loss
from tests.games.nim import Nim


@attrs.frozen(kw_only=True, eq=False)
class Told(Nim):
    """Nim whose heap is the opponent's hand, as odd or even."""

    hand_size: int = 2

    def opponent_hand(self, state, player):
        return jax.nn.one_hot(state.heap % 2, 2)


def test_jaxpots_own_keep_the_contract():
    check_auxiliary_loss(build_game_progress(GameProgress(), env=Nim()), Nim())
    check_auxiliary_loss(build_opponent_hand(OpponentHand(), env=Told()), Told())


@attrs.frozen(kw_only=True, eq=False)
class Heap:
    """Tells the heap, to players who see it."""

    target: str = "heap"
    width: int = 1
    coeff: float = 1.0
    alter: object = lambda target, known: (target, known)
    compare: object = lambda output, target: jnp.square(output[:, 0] - target)

    def record(self, env, state):
        return state.heap.astype(jnp.float32)

    def targets(self, rollout, recorded):
        return self.alter(recorded, jnp.ones_like(rollout.done))

    def loss(self, output, target):
        return self.compare(output, target)


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (
            {"target": "", "width": 0, "coeff": -1.0},
            (
                "target is ''; expected a name",
                "width is 0; expected an int of at least 1",
                "coeff is -1.0; expected a number of at least 0",
            ),
        ),
        (
            {"alter": lambda target, known: (target[0], known.astype(jnp.int32))},
            (
                "targets gives float32[8]; its first axes must be [12, 8]",
                "targets says which rows have one as int32[12, 8]; expected bool[12, 8]",
            ),
        ),
        (
            {"alter": lambda target, known: (target, known & False)},
            ("targets gives no row a target",),
        ),
        (
            {"compare": lambda output, target: jnp.square(output)},
            ("loss gives float32[96, 1]; expected float32[96]",),
        ),
        (
            {"compare": lambda output, target: jnp.log(output[:, 0] - 9.0)},
            ("loss or its gradient is not finite",),
        ),
        (
            {"compare": lambda output, target: jax.lax.stop_gradient(output[:, 0])},
            ("loss does not depend on the head's outputs",),
        ),
    ],
)
def test_what_is_wrong_is_named(change, faults):
    with pytest.raises(ContractError) as caught:
        check_auxiliary_loss(Heap(**change), Nim())
    assert caught.value.faults == faults
