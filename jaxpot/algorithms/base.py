"""What the loop asks of an algorithm: how to act, and how to learn from what was collected.

Axis letters: T steps, N lanes, B = T * N rows, A actions; of a recurrent network's batch, C chunks
of S steps.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from jax import Array

from jaxpot.models.base import ModelState, Observation, Params, Sequences
from jaxpot.models.memory import Carry


class View(NamedTuple):
    """What a decision is made on, in `N` lanes."""

    state: Any
    """The games' states, batched; they are for a search, and hold what players may not see."""
    observation: Observation
    """`[N, ...]`: what the seat to move sees."""
    legal_action_mask: Array
    """`[N, A]` bool."""
    carry: Carry
    """`[N, ...]`: what the seat to move has kept of the game; `()` without memory."""


class Rollout(NamedTuple):
    """What a collector gives: `T` steps of `N` lanes, time-major."""

    observation: Observation
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
    length: Array
    """`[T, N]` int32: steps that the game had before this one."""
    trained_seats: Array
    """`[T, N]` int32: how many of the game's seats are trained."""
    extras: dict[str, Array]
    """`[T, N, ...]`: what `Algorithm.act` wants recorded beside the action."""
    final_value: Array
    """`[N, 2]` float32: each seat's value of the state after the last step."""
    final_known: Array
    """`[N, 2]` bool: whether that seat may bootstrap from it."""
    memory: Carry = ()
    """`[T, N, 2, ...]`: the agent's carries before the step, of both seats; `()` without memory."""
    recorded: Mapping[str, Array] = {}
    """`[T, N, ...]`: what auxiliary losses wanted recorded of the states, by their names."""
    behaviour: Mapping[str, Array] = {}
    """`[T, N, ...]`: of an algorithm that learns from its opponents' moves too, `acted`, bool,
    whether the agent moved, and the opponents' extras; empty where nobody else's are there."""


class Decision(NamedTuple):
    """One step's actions and what to record beside them."""

    action: Array
    """`[N]` int32."""
    extras: dict[str, Array]
    """`[N, ...]` each."""
    carry: Carry = ()
    """`[N, ...]`: what the seat carries into its next decision; `()` without memory."""


class Batch(NamedTuple):
    """The rows of one iteration; `targets` is the algorithm's own.

    A recurrent network learns from sequences: its batch has `[C, S, ...]` for each `[B, ...]`.
    """

    observation: Observation
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
    sequences: Sequences | None = None
    """What a recurrent network needs besides: `memory` `[C, 2, ...]`, `seat` and `done` `[C, S]`;
    None without memory."""
    auxiliary: Mapping[str, tuple[Array, Array]] = {}
    """Auxiliary losses' targets `[B, ...]`, and which rows have one, `[B]` bool; by their names."""
    awaits: Array | None = None
    """`[B]` int32, where targets are settled late: the lane and the seat whose further rewards the
    row waits for, as the loop numbers them, 0 for nothing; else None."""


class Learned(NamedTuple):
    """The outcome of one iteration's updates."""

    params: Params
    model_state: ModelState
    opt_state: Any
    metrics: dict[str, Array]
    """Scalars by payload key."""


Settle = Callable[[dict[str, Array], Array, Array], dict[str, Array]]
"""Takes the `targets` of rows that are kept, what the seat that acted was paid since, `[...]`
float32, and whether its game has ended, `[...]` bool; returns the targets with that in them."""


class Algorithm(Protocol):
    """A way to act and to learn; frozen, without arrays.

    One whose targets rest on how games end may also have `settle`, a `Settle`, or None where its
    config needs none. Where rows are kept for some iterations and lanes carry their games on, it is
    then called at every iteration for all that is kept: 0 and False stand for nothing new.
    """

    @property
    def seq_len(self) -> int | None:
        """The steps of the sequences that a recurrent network learns from; None for all."""
        ...

    @property
    def off_policy(self) -> bool:
        """Whether it learns from the moves of opponents that are networks, as well as its own."""
        ...

    def act(self, params: Params, model_state: ModelState, view: View, key: Array) -> Decision:
        """Chooses the agent's actions while collecting."""
        ...

    def oppose(self, params: Params, model_state: ModelState, view: View, key: Array) -> Decision:
        """Chooses the actions of a frozen network or the target, whom the agent meets."""
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
        keys: Mapping[str, Array],
        iteration: Array,
    ) -> Learned:
        """Learns from one iteration's rows.

        `keys` are those of the streams `shuffle` and, where the model draws, `dropout`.
        """
        ...


def settle_of(algorithm: Algorithm) -> Settle | None:
    """Returns how an algorithm's kept targets learn of later rewards; None where they need not."""
    return getattr(algorithm, "settle", None)
