"""A recurrent module along whole sequences, as training needs it.

Axis letters: S steps of a sequence, M sequences.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
from jax import Array

from jaxpot.models.memory import Carry, both_seats, of_seat, where_lanes, with_seat

if TYPE_CHECKING:
    from jaxpot.models.base import Observation, Sequences


def unroll(
    module: Any, observation: "Observation", sequences: "Sequences", told: Mapping[str, Any]
) -> Any:
    """Runs a recurrent module along `S` steps of `M` sequences; only the cell goes step by step."""
    steps, lanes = sequences.seat.shape
    x = module.encode(_merge_axes(observation), **told)
    initial = both_seats(module.initial_carry(lanes))

    def step(memory: Carry, row: tuple[Any, Array, Array]) -> tuple[Carry, Any]:
        x, seat, done = row
        carry, y = module.cell(of_seat(memory, seat), x)
        return where_lanes(done, initial, with_seat(memory, seat, carry)), y

    split = jax.tree.map(lambda x: x.reshape(steps, lanes, *x.shape[1:]), x)
    rows = (split, sequences.seat, sequences.done)
    _, y = jax.lax.scan(step, sequences.memory, rows)
    return module.heads(_merge_axes(y), **told)


def _merge_axes(tree: Any) -> Any:
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), tree)
