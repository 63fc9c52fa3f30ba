"""What the loop asks of an algorithm: how to act, and how to learn from what was collected.

Axis letters: T steps, N lanes, B = T * N rows, A actions.
"""

from typing import Any, NamedTuple, Protocol

from jax import Array

from jaxpot.models.base import ModelState, Params


class Rollout(NamedTuple):
    """What a collector gives: `T` steps of `N` lanes, time-major."""

    observation: Array
    """`[T, N, ...]`: the acting seat's view before it acted."""
    legal_action_mask: Array
    """`[T, N, A]` bool."""
    action: Array
    """`[T, N]` int32."""
    seat: Array
    """`[T, N]` int32: the seat that acted, 0 or 1."""
    trained: Array
    """`[T, N]` bool: whether the acting seat is one that is trained."""
    reward: Array
    """`[T, N, 2]` float32: both seats' rewards of the step."""
    done: Array
    """`[T, N]` bool: whether the step ended the game."""
    trained_seats: Array
    """`[T, N]` int32: how many of the game's seats are trained."""
    extras: dict[str, Array]
    """`[T, N, ...]`: what `Algorithm.act` wants recorded beside the action."""
    final_value: Array
    """`[N, 2]` float32: each seat's value of the state after the last step."""
    final_known: Array
    """`[N, 2]` bool: whether that seat may bootstrap from it."""


class Decision(NamedTuple):
    """One step's actions and what to record beside them."""

    action: Array
    """`[N]` int32."""
    extras: dict[str, Array]
    """`[N, ...]` each."""


class Batch(NamedTuple):
    """The rows of one iteration; `targets` is the algorithm's own."""

    observation: Array
    """`[B, ...]`."""
    legal_action_mask: Array
    """`[B, A]` bool."""
    action: Array
    """`[B]` int32."""
    extras: dict[str, Array]
    """`[B, ...]` each, as recorded."""
    targets: dict[str, Array]
    """`[B, ...]` each."""
    valid: Array
    """`[B]` bool: a trained seat's row that is trained on."""


class Learned(NamedTuple):
    """The outcome of one iteration's updates."""

    params: Params
    model_state: ModelState
    opt_state: Any
    metrics: dict[str, Array]
    """Scalars by payload key."""


class Algorithm(Protocol):
    """A way to act and to learn; frozen, without arrays."""

    def act(
        self,
        params: Params,
        model_state: ModelState,
        observation: Array,
        legal_action_mask: Array,
        key: Array,
    ) -> Decision:
        """Chooses actions for `[N, ...]` observations while collecting."""
        ...

    def targets(self, rollout: Rollout) -> tuple[dict[str, Array], Array]:
        """Computes `[T, N]` training targets, and which rows have one (`[T, N]` bool)."""
        ...

    def init(self, params: Params) -> Any:
        """Returns the optimizer state before the first update."""
        ...

    def update(
        self,
        params: Params,
        model_state: ModelState,
        opt_state: Any,
        batch: Batch,
        *,
        key: Array,
        iteration: Array,
    ) -> Learned:
        """Learns from one iteration's rows; `key` is the `shuffle` stream's."""
        ...
