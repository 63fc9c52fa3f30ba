"""The contract of an algorithm: how to act, and how to learn from the collected rows.

Axis letters: T steps, N lanes, B = T * N rows, A actions; in the batch of a recurrent network, C
chunks of S steps.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from jax import Array

from jaxpot.models.base import Observation, Params, Sequences, Variables
from jaxpot.models.memory import Carry


class View(NamedTuple):
    """The inputs of a decision, in `N` lanes."""

    state: Any
    """The batched states of the games, for a search only: they hold what players may not see."""
    observation: Observation
    """`[N, ...]`: the observation of the seat to move."""
    legal_action_mask: Array
    """`[N, A]` bool."""
    carry: Carry
    """`[N, ...]`: the carry of the seat to move; `()` without memory."""


class Rollout(NamedTuple):
    """The rows of a collector: `T` steps of `N` lanes, time-major."""

    observation: Observation
    """`[T, N, ...]`: the observation of the acting seat, before it acted."""
    legal_action_mask: Array
    """`[T, N, A]` bool."""
    action: Array
    """`[T, N]` int32."""
    seat: Array
    """`[T, N]` int32: the seat that acted, 0 or 1."""
    trained: Array
    """`[T, N]` bool: whether the acting seat is trained."""
    reward: Array
    """`[T, N, 2]` float32: both seats' rewards of the step."""
    done: Array
    """`[T, N]` bool: whether the step ended the game."""
    length: Array
    """`[T, N]` int32: steps of the game before this one."""
    trained_seats: Array
    """`[T, N]` int32: how many of the game's seats are trained."""
    extras: dict[str, Array]
    """`[T, N, ...]`: the extras of `Algorithm.act`'s decisions."""
    final_value: Array
    """`[N, 2]` float32: each seat's value of the state after the last step."""
    bootstrap_mask: Array
    """`[N, 2]` bool: whether the seat has such a value, to bootstrap from."""
    memory: Carry = ()
    """`[T, N, 2, ...]`: the agent's carries of both seats before the step; `()` without memory."""
    recorded: Mapping[str, Array] = {}
    """`[T, N, ...]`: what auxiliary losses recorded of the states, by their names."""
    behaviour: Mapping[str, Array] = {}
    """`[T, N, ...]`, for an algorithm that also learns from its opponents' moves: `acted`, bool,
    whether the agent moved, and the opponents' extras; empty if there are no such moves."""


class Decision(NamedTuple):
    """The actions of one step, and what to record with them."""

    action: Array
    """`[N]` int32."""
    extras: dict[str, Array]
    """`[N, ...]` each."""
    carry: Carry = ()
    """`[N, ...]`: the seat's carry for its next decision; `()` without memory."""


class Batch(NamedTuple):
    """The rows of one iteration; the algorithm defines `targets`.

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
    """`[B]` bool: the row is of a trained seat and has a target."""
    sequences: Sequences | None = None
    """The sequences of a recurrent network: `memory` `[C, 2, ...]`, `seat` and `done` `[C, S]`;
    None without memory."""
    auxiliary: Mapping[str, tuple[Array, Array]] = {}
    """By the loss's name: the targets `[B, ...]`, and which rows have one, `[B]` bool."""
    awaits: Array | None = None
    """`[B]` int32, for an algorithm with `settle`: the number of the lane and seat whose further
    rewards the row waits for, 0 for none; else None."""


class Learned(NamedTuple):
    """The result of one iteration's updates."""

    variables: Variables
    opt_state: Any
    metrics: dict[str, Array]
    """Scalars by payload key."""


Settle = Callable[[dict[str, Array], Array, Array], dict[str, Array]]
"""Updates the `targets` of rows that are kept for several iterations.

It takes the targets, the rewards of the acting seat since, `[...]` float32, and whether its game
has ended, `[...]` bool."""


class Algorithm(Protocol):
    """A way to act and to learn; frozen, without arrays.

    An algorithm whose targets depend on how games end may also have `settle`, a `Settle`, or None
    if its config needs none. When rows are kept for several iterations and games go on in the next
    one, it is called at every iteration for all kept rows, with 0 and False where nothing is new.
    """

    @property
    def seq_len(self) -> int | None:
        """Steps of the sequences that a recurrent network learns from; None for all steps."""
        ...

    @property
    def off_policy(self) -> bool:
        """Whether it also learns from the moves of opponents that are networks."""
        ...

    def act(self, variables: Variables, view: View, key: Array) -> Decision:
        """Choose the agent's actions while collecting."""
        ...

    def act_as_opponent(self, variables: Variables, view: View, key: Array) -> Decision:
        """Choose the actions of an opponent of the agent: a frozen network or the target."""
        ...

    def targets(self, rollout: Rollout) -> tuple[dict[str, Array], Array]:
        """Compute `[T, N]` training targets, and which rows have one (`[T, N]` bool)."""
        ...

    def init(self, params: Params) -> Any:
        """Return the optimizer state before the first update."""
        ...

    def update(
        self,
        variables: Variables,
        opt_state: Any,
        batch: Batch,
        *,
        keys: Mapping[str, Array],
        iteration: Array,
    ) -> Learned:
        """Learn from one iteration's rows.

        `keys` has a key of the stream `shuffle` and, if the model draws, one of `dropout`.
        """
        ...


def settle_of(algorithm: Algorithm) -> Settle | None:
    """Return an algorithm's `settle`; None if it has none."""
    return getattr(algorithm, "settle", None)
