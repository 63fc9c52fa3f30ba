"""The contract test for an algorithm of your own.

Axis letters: T steps, N lanes, B = T * N rows, A actions.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from operator import attrgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.algorithms.base import (
    Algorithm,
    Batch,
    Decision,
    Learned,
    Rollout,
    Settle,
    View,
    settle_of,
)
from jaxpot.algorithms.minibatches import as_rows
from jaxpot.games import Environment
from jaxpot.models.base import Network, is_shape
from jaxpot.testing.contract import (
    close,
    described,
    equal,
    finite,
    metric_faults,
    play_at_random,
    require,
)

_SEQ_LEN, _LANES = 3, 8
_TOLERANCE = 1e-5


def check_algorithm(
    algorithm: Algorithm,
    network: Network,
    *,
    env: Environment[Any] | None = None,
    metrics: Collection[str] | None = None,
    seed: int = 0,
    key_reuse: bool = True,
) -> None:
    """Check that an algorithm fulfils `jaxpot.algorithms.base.Algorithm`.

    It has to act, compute targets, settle them if it does that, and update on made-up rows, jitted:
    twice with the same key, with other contents in the invalid rows, and with no valid row.

    Args:
        algorithm: The result of your config's `build`.
        network: The network that it was built with.
        env: The game, for an algorithm that looks at its states, as a search does: then the
            positions come from random play. Without it they are made up.
        metrics: The names that your config's `payload_keys` declares; not compared if not given.
        seed: The seed of the parameters, the rows and the algorithm's keys.
        key_reuse: Use jax's key-reuse checker, which raises a false alarm where a `lax.cond` that
            draws runs under `vmap`.

    Raises:
        ContractError: Some rules are broken; the error lists all that could be checked. The targets
            are checked only if acting is right, and the update only if the targets are.
        jax.errors.KeyReuseError: The algorithm uses a key twice.
    """
    init_key, row_key, act_key, play_key, *update_keys = jax.random.split(jax.random.key(seed), 6)
    steps = 2 * (algorithm.seq_len or _SEQ_LEN)
    variables = jax.jit(network.init)(init_key)
    with jax.debug_key_reuse(key_reuse):
        opt_state = jax.jit(algorithm.init)(variables.params)
        views = jax.jit(partial(_views, network, env, steps))(row_key)
        first = _first(views)
        # One program for every step's decision: compiling a search takes seconds.
        act = jax.jit(jax.vmap(algorithm.act, in_axes=(None, 0, 0)))
        act_keys = jax.random.split(act_key, steps)
        decisions = act(variables, views, jax.random.clone(act_keys))
        again = act(variables, views, jax.random.clone(act_keys))
        faults = _decision_faults("act", _first(decisions), _first(again), first)
        require(algorithm, "Algorithm", faults)
        if algorithm.act_as_opponent != algorithm.act:
            act_as_opponent = jax.jit(algorithm.act_as_opponent)
            decision = act_as_opponent(variables, first, jax.random.clone(play_key))
            again = act_as_opponent(variables, first, jax.random.clone(play_key))
            require(
                algorithm, "Algorithm", _decision_faults("act_as_opponent", decision, again, first)
            )
        rollout = jax.jit(_rollout)(views, decisions, play_key)
        targets, has_target = jax.jit(algorithm.targets)(rollout)
        require(algorithm, "Algorithm", _target_faults(targets, has_target, (steps, _LANES)))
        if (settle := settle_of(algorithm)) is not None:
            require(algorithm, "Algorithm", _settle_faults(settle, targets, rollout))
        seq_len = (algorithm.seq_len or steps) if network.recurrent else None
        batch = jax.jit(partial(_batch, seq_len=seq_len))(rollout, targets, has_target)

        update = jax.jit(algorithm.update)

        def learn(batch: Batch) -> Learned:
            names = ("shuffle", "dropout")
            keys = dict(zip(names, map(jax.random.clone, update_keys), strict=True))
            return update(variables, opt_state, batch, keys=keys, iteration=jnp.int32(3))

        outcome, repeated = learn(batch), learn(batch)
        start = Learned(variables, opt_state, {})
        require(algorithm, "Algorithm", _update_faults(start, outcome, repeated, metrics))
        altered = learn(jax.jit(_with_other_rows)(batch))
        nothing = learn(batch._replace(valid=jnp.zeros_like(batch.valid)))
        require(algorithm, "Algorithm", _row_faults(outcome, altered, nothing))


def _views(network: Network, env: Environment[Any] | None, steps: int, key: Array) -> View:
    """Make the positions to decide on, `[T, N, ...]`, from random games or without a game."""
    carry = jax.tree.map(
        lambda x: jnp.broadcast_to(x, (steps, *x.shape)), network.initial_carry(_LANES)
    )
    if env is not None:
        played = play_at_random(env, key, steps=steps, lanes=_LANES)
        return View(played.state, played.observation, played.legal_action_mask, carry)
    see_key, legal_key, one_key = jax.random.split(key, 3)
    lanes = (steps, _LANES)
    shapes, tree = jax.tree.flatten(network.observation_shape, is_leaf=is_shape)
    keys = jax.random.split(see_key, len(shapes))
    seen = [jax.random.bernoulli(keys[i], 0.5, (*lanes, *shape)) for i, shape in enumerate(shapes)]
    legal = jax.random.bernoulli(legal_key, 0.5, (*lanes, network.num_actions))
    one = jax.random.randint(one_key, lanes, 0, network.num_actions)
    return View(
        state=(),
        observation=jax.tree.unflatten(tree, seen),
        legal_action_mask=legal | jax.nn.one_hot(one, network.num_actions, dtype=bool),
        carry=carry,
    )


def _first(steps: Any) -> Any:
    return jax.tree.map(lambda x: x[0], steps)


def _rollout(views: View, decisions: Decision, key: Array) -> Rollout:
    """Make rows from decisions, with games that end at random."""
    done_key, reward_key, value_key = jax.random.split(key, 3)
    shape = views.legal_action_mask.shape[:2]
    done = jax.random.bernoulli(done_key, 0.3, shape)
    won = jnp.where(jax.random.bernoulli(reward_key, 0.5, shape), 1.0, -1.0)
    turn = jnp.arange(shape[0], dtype=jnp.int32)[:, None] % 2
    # In the second half of the lanes only one seat is trained.
    both_trained = jnp.broadcast_to(jnp.arange(_LANES) < _LANES // 2, shape)
    return Rollout(
        observation=views.observation,
        legal_action_mask=views.legal_action_mask,
        action=decisions.action,
        seat=jnp.broadcast_to(turn, shape),
        trained=both_trained | (turn == 0),
        reward=jnp.where(done[..., None], jnp.stack([won, -won], axis=-1), 0.0),
        done=done,
        length=_lengths(done),
        trained_seats=jnp.where(both_trained, 2, 1).astype(jnp.int32),
        extras=decisions.extras,
        final_value=jax.random.uniform(value_key, (_LANES, 2), minval=-1.0),
        bootstrap_mask=jnp.ones((_LANES, 2), bool),
        memory=jax.tree.map(lambda x: jnp.stack([x, x], axis=2), views.carry),
    )


def _lengths(done: Array) -> Array:
    """Count each game's steps before each step, `[T, N]` int32; every lane starts with a game."""
    step = jnp.arange(done.shape[0], dtype=jnp.int32)[:, None]
    begins = jnp.pad(done[:-1], ((1, 0), (0, 0)))
    return step - jax.lax.cummax(jnp.where(begins, step, 0), axis=0)


def _batch(rollout: Rollout, targets: Any, has_target: Array, *, seq_len: int | None) -> Batch:
    batch = Batch(
        observation=rollout.observation,
        legal_action_mask=rollout.legal_action_mask,
        action=rollout.action,
        extras=rollout.extras,
        targets=targets,
        valid=rollout.trained & has_target,
    )
    return as_rows(batch, rollout, seq_len=seq_len)


def _with_other_rows(batch: Batch) -> Batch:
    """Replace every invalid row by the first valid one; it stays invalid."""
    valid, axes = batch.valid, batch.valid.ndim
    first = jnp.unravel_index(jnp.argmax(valid), valid.shape)
    other = jax.tree.map(
        lambda x: jnp.where(
            valid.reshape(*valid.shape, *[1] * (x.ndim - axes)),
            x,
            jnp.broadcast_to(x[first], x.shape),
        ),
        batch._replace(sequences=None),
    )
    return other._replace(valid=valid, sequences=batch.sequences)


def _decision_faults(name: str, decision: Decision, again: Decision, view: View) -> Iterator[str]:
    action = decision.action
    if described(action) != f"int32[{_LANES}]":
        yield f"{name} gives actions {described(action)}; expected int32[{_LANES}]"
    elif not np.take_along_axis(
        np.asarray(view.legal_action_mask), np.asarray(action)[:, None], -1
    ).all():
        yield f"{name} chooses an illegal action"
    for key, extra in decision.extras.items():
        if extra.shape[:1] != (_LANES,):
            yield f"{name} records {key!r} as {described(extra)}; its first axis must be the lanes"
    if jax.tree.map(described, decision.carry) != jax.tree.map(described, view.carry):
        yield f"{name} gives a carry of other arrays than it got; give what `network.step` returns"
    if not equal(decision, again):
        yield f"{name} decides differently when it gets the same key again"


def _target_faults(
    targets: Mapping[str, Array], has_target: Array, rows: tuple[int, int]
) -> Iterator[str]:
    for name, target in targets.items():
        if target.shape[:2] != rows:
            yield f"target {name!r} is {described(target)}; its first axes must be {list(rows)}"
    if (has_target.shape, has_target.dtype.name) != (rows, "bool"):
        yield (
            f"targets says which rows have one as {described(has_target)}; "
            f"expected bool{list(rows)}"
        )
    elif not has_target.any():
        yield "targets gives no row a target, though games end and every final value is known"


def _settle_faults(settle: Settle, targets: dict[str, Array], rollout: Rollout) -> Iterator[str]:
    nothing = jnp.zeros(rollout.done.shape), jnp.zeros_like(rollout.done)
    for paid, ended in (nothing, (rollout.reward[..., 0], rollout.done)):
        settled = jax.jit(settle)(targets, paid, ended)
        if jax.tree.map(described, settled) != jax.tree.map(described, targets):
            yield "settle changes the targets' names, shapes or types; they must stay"
            return
        pairs = zip(jax.tree.leaves(settled), jax.tree.leaves(targets), strict=True)
        same = all(
            np.array_equal(x[~ended], y[~ended], equal_nan=x.dtype.kind == "f") for x, y in pairs
        )
        if not same:
            yield "settle changes targets of rows that were paid nothing and whose game goes on"
            return


def _update_faults(
    start: Learned, outcome: Learned, repeated: Learned, declared: Collection[str] | None
) -> Iterator[str]:
    for name, part in (
        ("params", attrgetter("variables.params")),
        ("model_state", attrgetter("variables.model_state")),
        ("opt_state", attrgetter("opt_state")),
    ):
        old, new = part(start), part(outcome)
        if jax.tree.structure(old) != jax.tree.structure(new):
            yield f"update gives {name} of another structure"
            continue
        for (path, x), y in zip(jax.tree.leaves_with_path(old), jax.tree.leaves(new), strict=True):
            if described(x) != described(y):
                where = f"{name}{jax.tree_util.keystr(path)}"
                yield f"{where} is {described(x)} before the update and {described(y)} after it"
    yield from metric_faults(outcome.metrics, declared)
    if not finite((outcome.variables.params, outcome.metrics)):
        yield "update gives parameters or metrics that are not finite"
    if equal(start.variables.params, outcome.variables.params):
        yield "update changes no parameter"
    if not equal(outcome, repeated):
        yield "update gives other results when it is run again with the same key"


def _row_faults(outcome: Learned, altered: Learned, nothing: Learned) -> Iterator[str]:
    if not close(outcome.variables.params, altered.variables.params, _TOLERANCE):
        yield "update learns from rows that are not valid"
    if not finite((nothing.variables.params, nothing.metrics)):
        yield "update gives parameters or metrics that are not finite when no row is valid"
