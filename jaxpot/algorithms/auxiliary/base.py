"""What an auxiliary loss is: a hook in the rollout, a head of the network, and a loss.

Axis letters: T steps, N lanes, B rows, K outputs of the head.
"""

from typing import TYPE_CHECKING, Any, Protocol

from jax import Array

if TYPE_CHECKING:
    from jaxpot.algorithms.base import Rollout
    from jaxpot.games import Environment


class AuxiliaryLoss(Protocol):
    """Something that a network learns to tell of a position; frozen, without arrays.

    Its head is a dense layer on the network's features, which it trains; play never asks it.
    """

    @property
    def target(self) -> str:
        """The name of what is told; a network learns each thing once."""
        ...

    @property
    def width(self) -> int:
        """K."""
        ...

    @property
    def coeff(self) -> float:
        """The loss's weight in the sum of all losses."""
        ...

    def record(self, env: "Environment[Any]", state: Any) -> Array | None:
        """Records `[N, ...]` of the batched states before a step, which the rollout then keeps.

        It may look at what players cannot see; it draws nothing. None where the rollout's own
        fields are enough.
        """
        ...

    def targets(self, rollout: "Rollout", recorded: Array | None) -> tuple[Array, Array]:
        """Computes what there was to tell.

        Args:
            rollout: The rows, `[T, N, ...]`. A lane may begin in the middle of a game.
            recorded: `[T, N, ...]`, what `record` gave at each step; None where it gave None.

        Returns:
            The target `[T, N, ...]`, of the seat that acted, and which rows have one, `[T, N]`
            bool: those that the rollout cut short, for example, may have none.
        """
        ...

    def loss(self, output: Array, target: Array) -> Array:
        """Compares the head's outputs `[B, K]` float32 with `[B, ...]`: `[B]` float32, finite."""
        ...
