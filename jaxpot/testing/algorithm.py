"""The contract test for an algorithm of your own.

Axis letters: T steps, N lanes, B = T * N rows, A actions.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.algorithms.base import Algorithm, Batch, Decision, Learned, Rollout
from jaxpot.models.base import Network
from jaxpot.testing.contract import require

_STEPS, _LANES = 6, 8
_METRIC_DTYPES = ("float32", "int32")
_RTOL, _ATOL = 1e-5, 1e-6


def check_algorithm(
    algorithm: Algorithm,
    network: Network,
    *,
    metrics: Collection[str] | None = None,
    seed: int = 0,
    key_reuse: bool = True,
) -> None:
    """Checks that an algorithm keeps to `jaxpot.algorithms.base.Algorithm`.

    Lets it act, compute targets and update on made-up rows of a batch of games, jitted: twice with
    the same key, with other contents in the rows that do not count, and with no row that counts.

    Args:
        algorithm: What your config's `build` returned.
        network: The network that it was built with.
        metrics: The names that your config's `payload_keys` declares; not compared if not given.
        seed: Draws the parameters, the rows and the algorithm's keys.
        key_reuse: Whether to use jax's key-reuse checker, which raises a false alarm where a
            `lax.cond` that draws runs under `vmap`.

    Raises:
        ContractError: With everything that was found; the targets are checked only when acting
            holds, and the update only when the targets do.
        jax.errors.KeyReuseError: The algorithm uses a key twice.
    """
    init_key, row_key, act_key, play_key, update_key = jax.random.split(jax.random.key(seed), 5)
    params, model_state = jax.jit(network.init)(init_key)
    with jax.debug_key_reuse(key_reuse):
        opt_state = jax.jit(algorithm.init)(params)
        seen, legal = jax.jit(partial(_positions, network))(row_key)
        act = jax.jit(algorithm.act)
        decision = act(params, model_state, seen[0], legal[0], act_key)
        again = act(params, model_state, seen[0], legal[0], jax.random.clone(act_key))
        require(algorithm, "Algorithm", _decision_faults(decision, again, legal[0]))
        make_rows = jax.jit(partial(_rollout, algorithm))
        rollout = make_rows(params, model_state, seen, legal, play_key)
        targets, known = jax.jit(algorithm.targets)(rollout)
        require(algorithm, "Algorithm", _target_faults(targets, known))
        batch = jax.jit(_batch)(rollout, targets, known)

        update = jax.jit(algorithm.update)

        def learn(batch: Batch) -> Learned:
            key = jax.random.clone(update_key)
            return update(params, model_state, opt_state, batch, key=key, iteration=jnp.int32(3))

        outcome, repeated = learn(batch), learn(batch)
        start = Learned(params, model_state, opt_state, {})
        require(algorithm, "Algorithm", _update_faults(start, outcome, repeated, metrics))
        altered = learn(jax.jit(_with_other_rows)(batch))
        nothing = learn(batch._replace(valid=jnp.zeros_like(batch.valid)))
        require(algorithm, "Algorithm", _row_faults(outcome, altered, nothing))


def _positions(network: Network, key: Array) -> tuple[Array, Array]:
    """Draws observations `[T, N, ...]` and legal actions `[T, N, A]`, one at least in each."""
    see_key, legal_key, one_key = jax.random.split(key, 3)
    shape = (_STEPS, _LANES)
    seen = jax.random.bernoulli(see_key, 0.5, (*shape, *network.observation_shape))
    legal = jax.random.bernoulli(legal_key, 0.5, (*shape, network.num_actions))
    one = jax.random.randint(one_key, shape, 0, network.num_actions)
    return seen, legal | jax.nn.one_hot(one, network.num_actions, dtype=bool)


def _rollout(
    algorithm: Algorithm, params: Any, model_state: Any, seen: Array, legal: Array, key: Array
) -> Rollout:
    """Makes rows of games that end at random, played by the algorithm."""
    act_key, done_key, reward_key, value_key = jax.random.split(key, 4)
    decide = jax.vmap(algorithm.act, in_axes=(None, None, 0, 0, 0))
    decision = decide(params, model_state, seen, legal, jax.random.split(act_key, _STEPS))
    shape = (_STEPS, _LANES)
    done = jax.random.bernoulli(done_key, 0.3, shape)
    won = jnp.where(jax.random.bernoulli(reward_key, 0.5, shape), 1.0, -1.0)
    turn = jnp.arange(_STEPS, dtype=jnp.int32)[:, None] % 2
    return Rollout(
        observation=seen,
        legal_action_mask=legal,
        action=decision.action,
        seat=jnp.broadcast_to(turn, shape),
        # In the lanes past the middle only one of the seats is trained.
        trained=jnp.broadcast_to(jnp.arange(_LANES) < _LANES // 2, shape) | (turn == 0),
        reward=jnp.where(done[..., None], jnp.stack([won, -won], axis=-1), 0.0),
        done=done,
        trained_seats=jnp.broadcast_to(
            jnp.where(jnp.arange(_LANES) < _LANES // 2, 2, 1).astype(jnp.int32), shape
        ),
        extras=decision.extras,
        final_value=jax.random.uniform(value_key, (_LANES, 2), minval=-1.0),
        final_known=jnp.ones((_LANES, 2), bool),
    )


def _batch(rollout: Rollout, targets: Any, known: Array) -> Batch:
    batch = Batch(
        observation=rollout.observation,
        legal_action_mask=rollout.legal_action_mask,
        action=rollout.action,
        extras=rollout.extras,
        targets=targets,
        valid=rollout.trained & known,
    )
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), batch)


def _with_other_rows(batch: Batch) -> Batch:
    """Puts the first row that counts in place of every row that does not."""
    first = jnp.argmax(batch.valid)
    other = jax.tree.map(
        lambda x: jnp.where(
            batch.valid.reshape(-1, *[1] * (x.ndim - 1)), x, jnp.broadcast_to(x[first], x.shape)
        ),
        batch,
    )
    return other._replace(valid=batch.valid)


def _decision_faults(decision: Decision, again: Decision, legal: Array) -> Iterator[str]:
    action = decision.action
    if (action.shape, action.dtype.name) != ((_LANES,), "int32"):
        yield f"act gives actions {_described(action)}; expected int32[{_LANES}]"
    elif not np.take_along_axis(np.asarray(legal), np.asarray(action)[:, None], -1).all():
        yield "act chooses an illegal action"
    for name, extra in decision.extras.items():
        if extra.shape[:1] != (_LANES,):
            yield f"act records {name!r} as {_described(extra)}; its first axis must be the lanes"
    if not _equal(decision, again):
        yield "act decides otherwise when it is given the same key again"


def _target_faults(targets: Mapping[str, Array], known: Array) -> Iterator[str]:
    rows = (_STEPS, _LANES)
    for name, target in targets.items():
        if target.shape[:2] != rows:
            yield f"target {name!r} is {_described(target)}; its first axes must be {list(rows)}"
    if (known.shape, known.dtype.name) != (rows, "bool"):
        yield f"targets says which rows are known as {_described(known)}; expected bool{list(rows)}"
    elif not known.any():
        yield "targets knows of no row, though games end and every last value is known"


def _update_faults(
    start: Learned, outcome: Learned, repeated: Learned, declared: Collection[str] | None
) -> Iterator[str]:
    for name in ("params", "model_state", "opt_state"):
        old, new = getattr(start, name), getattr(outcome, name)
        if jax.tree.structure(old) != jax.tree.structure(new):
            yield f"update gives {name} of another structure"
            continue
        for (path, x), y in zip(jax.tree.leaves_with_path(old), jax.tree.leaves(new), strict=True):
            if _described(x) != _described(y):
                where = f"{name}{jax.tree_util.keystr(path)}"
                yield f"{where} is {_described(x)} before the update and {_described(y)} after it"
    for name, value in outcome.metrics.items():
        if value.shape or value.dtype.name not in _METRIC_DTYPES:
            yield f"metric {name!r} is {_described(value)}; expected a float32 or int32 scalar"
    if declared is not None and set(declared) != set(outcome.metrics):
        yield f"declares the metrics {sorted(declared)} but gives {sorted(outcome.metrics)}"
    if not _finite(outcome):
        yield "update gives parameters or metrics that are not finite"
    if _equal(start.params, outcome.params):
        yield "update changes no parameter"
    if not _equal(outcome, repeated):
        yield "update gives other results when it is run again with the same key"


def _row_faults(outcome: Learned, altered: Learned, nothing: Learned) -> Iterator[str]:
    pairs = zip(jax.tree.leaves(outcome.params), jax.tree.leaves(altered.params), strict=True)
    if not all(np.allclose(x, y, rtol=_RTOL, atol=_ATOL) for x, y in pairs):
        yield "update learns from rows that are not valid"
    if not _finite(nothing):
        yield "update gives parameters or metrics that are not finite when no row is valid"


def _finite(outcome: Learned) -> bool:
    return all(np.isfinite(x).all() for x in jax.tree.leaves((outcome.params, outcome.metrics)))


def _equal(tree: Any, other: Any) -> bool:
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


def _described(leaf: Any) -> str:
    return f"{leaf.dtype.name}{list(leaf.shape)}"
