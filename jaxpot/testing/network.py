"""The contract test for a network of your own.

Axis letters: S steps of a sequence (1 without memory), B rows or sequences.
"""

from collections.abc import Iterator
from typing import Any

import attrs
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.models.base import (
    ModelState,
    Network,
    Observation,
    Outputs,
    Params,
    Sequences,
    Variables,
    is_shape,
)
from jaxpot.models.memory import Carry, both_seats, of_seat, where_lanes, with_seat
from jaxpot.testing.contract import close, described, equal, finite, require


def check_network(
    network: Network, *, batch: int = 5, seed: int = 0, tolerance: float = 1e-3
) -> None:
    """Check that a network fulfils `jaxpot.models.base.Network`.

    Draws parameters twice with jax's key-reuse checker on, then evaluates random observations: as
    in play (as bools, with other rows in the batch, as floats under `vmap` over variables) and as
    in training, under `grad`. For a recurrent network, training along sequences in which games end
    is compared with its steps in play. Running statistics must move with valid rows and not with
    the others. Silent rank promotion is an error.

    Args:
        network: The result of your config's `build`.
        batch: Rows of observations, at least 2.
        seed: The seed of the parameters and the observations.
        tolerance: How much results that should be equal may differ, relative to their size; a tenth
            of it is the absolute tolerance. A network that computes in bfloat16 needs about 0.05.

    Raises:
        ContractError: Some rules are broken; the error lists all that could be checked. The calls
            are checked only if the parameters are right.
        jax.errors.KeyReuseError: `init` or `train` uses a key twice.
        ValueError: A call gives logits or values of a wrong shape or dtype, or changes variables
            in play.
    """
    init_key, other_key = jax.random.split(jax.random.key(seed))
    draw = np.random.default_rng(seed)
    with jax.numpy_rank_promotion("raise"), jax.debug_key_reuse(True):
        variables = network.init(init_key)
        again = network.init(jax.random.clone(init_key))
        others = network.init(other_key)
        require(network, "Network", _variable_faults(variables, again, others))
        steps = 4 if network.recurrent else 1
        observation = jax.tree.map(
            lambda shape: draw.random((steps, batch, *shape)) < 0.5,
            network.observation_shape,
            is_leaf=is_shape,
        )
        trial = _Trial(network, jax.jit(network.step), variables, observation, tolerance)
        require(network, "Network", [*_play_faults(trial, others), *_training_faults(trial, draw)])


@attrs.frozen
class _Trial:
    """A network with drawn parameters, and what it is evaluated on."""

    network: Network
    step: Any
    """The network's `step`, compiled."""
    variables: Variables
    observation: Observation
    """`[S, B, ...]` bool."""
    tolerance: float


def _variable_faults(drawn: Variables, again: Variables, others: Variables) -> Iterator[str]:
    yield from _tree_faults(drawn.params, "params")
    yield from _tree_faults(drawn.model_state, "model_state")
    for path, leaf in jax.tree.leaves_with_path(drawn.params):
        if leaf.dtype != jnp.float32:
            yield f"params{jax.tree_util.keystr(path)} is {leaf.dtype}; expected float32"
    if not equal(drawn.params, again.params):
        yield "init gives other parameters when it gets the same key again"
    if equal(drawn.params, others.params):
        yield "init gives the same parameters for every key"


def _tree_faults(tree: Any, path: str) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, child in tree.items():
            if not isinstance(key, str):
                yield f"{path} has the key {key!r}; expected strings"
            yield from _tree_faults(child, f"{path}[{key!r}]")
    elif not isinstance(tree, Array):
        yield f"{path} is a {type(tree).__name__}; expected nested dicts of arrays"


def _play_faults(trial: _Trial, others: Variables) -> Iterator[str]:
    """Yield the faults of `step`, with other parameters for a `vmap` over parameters."""
    network, step, variables = trial.network, trial.step, trial.variables
    batch = jax.tree.leaves(trial.observation)[0].shape[1]
    first, last = (jax.tree.map(lambda x, at=at: x[at], trial.observation) for at in (0, -1))
    carry = network.initial_carry(batch)
    yield from _initial_faults(carry, batch)
    # A game's second move, so that the carry is not the initial one.
    _, carry = jax.device_get(step(variables, first, carry))
    played = _, after = jax.device_get(step(variables, last, carry))
    if not finite(played):
        yield "gives logits or values that are not finite, for parameters as drawn"
    if _types(after) != _types(network.initial_carry(batch)):
        yield "returns a carry whose arrays have other shapes or dtypes than the initial one"

    half = batch // 2
    mixed = jax.tree.map(lambda x: np.concatenate([x[:half], ~x[half:]]), last)
    doubled = jax.tree.map(lambda x: np.concatenate([x[:half], 2 * x[half:]]), carry)
    in_other_batch = jax.device_get(step(variables, mixed, doubled))
    a, b = (jax.tree.map(lambda x: x[:half], tree) for tree in (played, in_other_batch))
    if not close(a, b, trial.tolerance):
        yield "lets the rows of a batch influence each other"

    both = jax.tree.map(lambda *leaves: np.stack(leaves), variables, others)
    mapped = jax.jit(jax.vmap(network.step, in_axes=(0, None, None)))
    as_float = jax.tree.map(lambda x: x.astype(np.float32), last)
    found = jax.device_get(mapped(both, as_float, carry))
    if not close(jax.tree.map(lambda x: x[0], found), played, trial.tolerance):
        yield "gives other results under vmap over the parameters, with float32 observations"


def _initial_faults(carry: Carry, batch: int) -> Iterator[str]:
    for leaf in jax.tree.leaves(carry):
        if leaf.dtype != np.float32 or leaf.shape[:1] != (batch,):
            yield f"the initial carry is {described(leaf)}; expected float32[{batch}, ...]"
        elif not (np.asarray(leaf) == np.asarray(leaf)[:1]).all():
            yield "the games of a batch begin with different carries"


def _training_faults(trial: _Trial, draw: np.random.Generator) -> Iterator[str]:
    """Yield the faults of `train`, on drawn seats, ends of games and carries."""
    network, variables = trial.network, trial.variables
    observation = trial.observation
    sequences = _draw_sequences(trial, draw)
    if sequences is None:
        observation = jax.tree.map(lambda x: x[0], observation)
    leading = jax.tree.leaves(observation)[0].shape[: 2 if network.recurrent else 1]
    # The first row is not valid.
    rows = np.arange(np.prod(leading)).reshape(leading) > 0
    key, other_key = jax.random.split(jax.random.key(1))

    @jax.jit
    def train(observation: Observation, key: Array) -> Any:
        def loss(params: Params) -> tuple[Array, tuple[Outputs, ModelState]]:
            outputs, state = network.train(
                Variables(params, variables.model_state),
                observation,
                rows=jnp.asarray(rows),
                key=key,
                sequences=sequences,
            )
            squares = jnp.square(outputs.logits).sum(axis=1) + jnp.square(outputs.value - 1.0)
            return jnp.where(jnp.asarray(rows).reshape(-1), squares, 0.0).sum(), (outputs, state)

        gradient, (outputs, state) = jax.grad(loss, has_aux=True)(variables.params)
        return gradient, outputs, state

    gradient, outputs, state = train(observation, key)
    if not finite(gradient):
        yield "has gradients that are not finite"
    for path, leaf in jax.tree.leaves_with_path(gradient):
        if not np.asarray(leaf).any():
            yield f"params{jax.tree_util.keystr(path)} never gets a gradient"
    changed = jax.tree.map(lambda x: np.where(_wide(rows, x), x, ~x), observation)
    _, _, state_of_changed = train(changed, jax.random.clone(key))
    _, other_outputs, _ = train(observation, other_key)
    yield from _state_faults(variables.model_state, state, state_of_changed)
    # Statistics and dropout may change outputs in training; without either, they are as in play.
    if not variables.model_state and equal(outputs, other_outputs):
        played = _play(trial, observation, sequences)
        if not close(outputs._replace(auxiliary={}), played, trial.tolerance):
            yield "computes something else in training than in play"


def _draw_sequences(trial: _Trial, draw: np.random.Generator) -> Sequences | None:
    if not trial.network.recurrent:
        return None
    steps, batch = jax.tree.leaves(trial.observation)[0].shape[:2]
    memory = jax.tree.map(
        lambda x: draw.normal(size=x.shape).astype(np.float32),
        both_seats(trial.network.initial_carry(batch)),
    )
    seat: Any = draw.integers(2, size=(steps, batch), dtype=np.int32)
    done: Any = draw.random((steps, batch)) < 0.3
    return Sequences(memory, seat, done)


def _play(trial: _Trial, observation: Observation, sequences: Sequences | None) -> Outputs:
    """Play the positions that were trained on, move by move."""
    if sequences is None:
        return trial.step(trial.variables, observation, ())[0]
    memory = sequences.memory
    initial = both_seats(trial.network.initial_carry(sequences.seat.shape[1]))
    played = []
    for t in range(len(sequences.seat)):
        seat, done = sequences.seat[t], sequences.done[t]
        seen = jax.tree.map(lambda x, t=t: x[t], observation)
        outputs, carry = trial.step(trial.variables, seen, of_seat(memory, seat))
        memory = where_lanes(done, initial, with_seat(memory, seat, carry))
        played.append(jax.device_get(outputs))
    return jax.tree.map(lambda *steps: np.concatenate(steps), *played)


def _state_faults(before: ModelState, after: ModelState, of_changed: ModelState) -> Iterator[str]:
    if _types(before) != _types(after):
        yield "gives a model state of other arrays in training than `init`"
    elif not finite(after):
        yield "gives a model state that is not finite"
    elif before and equal(before, after):
        yield "has variables that training never changes; constants must not be variables"
    if not equal(after, of_changed):
        yield "lets rows that are not valid change the model state"


def _types(tree: Any) -> Any:
    return jax.tree.structure(tree), [(x.shape, x.dtype) for x in jax.tree.leaves(tree)]


def _wide(rows: np.ndarray, like: np.ndarray) -> np.ndarray:
    return rows.reshape(rows.shape + (1,) * (like.ndim - rows.ndim))
