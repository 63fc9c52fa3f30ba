"""Contract tests for an auxiliary loss and for an evaluator of your own.

Axis letters: T steps, N lanes, B = T * N rows, K outputs of the head.
"""

import re
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.algorithms.auxiliary import AuxiliaryLoss
from jaxpot.algorithms.base import Rollout
from jaxpot.evaluators.players import Evaluator
from jaxpot.games import Environment
from jaxpot.models.base import Network
from jaxpot.testing.contract import described, equal, metric_faults, play_at_random, require

_STEPS, _LANES = 12, 8


def check_auxiliary_loss(loss: AuxiliaryLoss, env: Environment[Any], *, seed: int = 0) -> None:
    """Check that an auxiliary loss fulfils `jaxpot.algorithms.auxiliary.AuxiliaryLoss`.

    It has to record random games, compute its targets and compare them with outputs, jitted.

    Args:
        loss: The result of your config's `build`.
        env: The game that it was built with.
        seed: The seed of the games and the outputs.

    Raises:
        ContractError: Some rules are broken; the error lists all that could be checked. The targets
            are checked only if the attributes are right, and the loss only if the targets are.
    """
    require(loss, "AuxiliaryLoss", _attribute_faults(loss))
    play_key, output_key = jax.random.split(jax.random.key(seed))
    target, has_target = jax.jit(partial(_targets, loss, env))(play_key)
    require(loss, "AuxiliaryLoss", _target_faults(target, has_target))

    targets, counts = target.reshape(-1, *target.shape[2:]), has_target.reshape(-1)
    output = jax.random.normal(output_key, (counts.size, loss.width))
    require(loss, "AuxiliaryLoss", _shape_faults(jax.eval_shape(loss.loss, output, targets)))

    @jax.jit
    @jax.value_and_grad
    def total(output: Array) -> Array:
        return jnp.where(counts, loss.loss(output, targets), 0.0).sum()

    require(loss, "AuxiliaryLoss", _loss_faults(*total(output)))


def _targets(loss: AuxiliaryLoss, env: Environment[Any], key: Array) -> tuple[Array, Array]:
    played = play_at_random(env, key, steps=_STEPS, lanes=_LANES)
    rollout = Rollout(
        observation=played.observation,
        legal_action_mask=played.legal_action_mask,
        action=played.action,
        seat=played.seat,
        trained=jnp.ones_like(played.done),
        reward=played.reward,
        done=played.done,
        length=played.length,
        trained_seats=jnp.full_like(played.seat, 2),
        extras={},
        final_value=jnp.zeros((_LANES, 2)),
        bootstrap_mask=jnp.ones((_LANES, 2), bool),
    )
    return loss.targets(rollout, jax.lax.map(partial(loss.record, env), played.state))


def _attribute_faults(loss: AuxiliaryLoss) -> Iterator[str]:
    if not isinstance(loss.target, str) or not loss.target:
        yield f"target is {loss.target!r}; expected a name"
    if type(loss.width) is not int or loss.width < 1:
        yield f"width is {loss.width!r}; expected an int of at least 1"
    if not isinstance(loss.coeff, int | float) or not loss.coeff >= 0:
        yield f"coeff is {loss.coeff!r}; expected a number of at least 0"


def _target_faults(target: Array, has_target: Array) -> Iterator[str]:
    rows = (_STEPS, _LANES)
    if target.shape[:2] != rows:
        yield f"targets gives {described(target)}; its first axes must be {list(rows)}"
    if (has_target.shape, has_target.dtype.name) != (rows, "bool"):
        yield (
            f"targets says which rows have one as {described(has_target)}; "
            f"expected bool{list(rows)}"
        )
    elif not has_target.any():
        yield "targets gives no row a target"


def _shape_faults(each: jax.ShapeDtypeStruct) -> Iterator[str]:
    expected = f"float32[{_STEPS * _LANES}]"
    if described(each) != expected:
        yield f"loss gives {described(each)}; expected {expected}"


def _loss_faults(total: Array, gradient: Array) -> Iterator[str]:
    if not jnp.isfinite(total) or not jnp.isfinite(gradient).all():
        yield "loss or its gradient is not finite"
    elif not gradient.any():
        yield "loss does not depend on the head's outputs"


_NAME = re.compile(r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*")


def check_evaluator(
    evaluator: Evaluator,
    network: Network,
    *,
    metrics: Collection[str] | None = None,
    seed: int = 0,
    key_reuse: bool = True,
) -> None:
    """Check that an evaluator fulfils `jaxpot.evaluators.Evaluator`.

    Runs it twice on freshly drawn parameters, jitted, with its constants if it has any.

    Args:
        evaluator: The result of your config's `build`.
        network: The network that it was built with.
        metrics: The names that your config's `payload_keys` declares, without their prefix; not
            compared if not given.
        seed: The seed of the parameters and of the evaluator's key.
        key_reuse: Use jax's key-reuse checker. It raises a false alarm where a `lax.cond` that
            draws runs under `vmap`, as in backgammon.

    Raises:
        ContractError: Some rules are broken; the error lists all of them.
        jax.errors.KeyReuseError: The evaluator uses a key twice.
    """
    init_key, run_key = jax.random.split(jax.random.key(seed))
    variables = jax.jit(network.init)(init_key)
    with jax.debug_key_reuse(key_reuse):
        run = jax.jit(evaluator.run)
        constants = getattr(evaluator, "constants", {})
        output = jax.device_get(run(variables, run_key, **constants))
        again = jax.device_get(run(variables, jax.random.clone(run_key), **constants))
    require(evaluator, "Evaluator", _faults(output, again, metrics))


def _faults(output: Any, again: Any, declared: Collection[str] | None) -> Iterator[str]:
    for name in output.metrics:
        if not _NAME.fullmatch(name):
            yield f"metric {name!r} is not a name such as 'win_rate' or 'p0/win_rate'"
    yield from metric_faults(jax.tree.map(np.asarray, output.metrics), declared)
    for name, counts in output.histograms.items():
        counts = np.asarray(counts)
        if not _NAME.fullmatch(name):
            yield f"histogram {name!r} is not a name such as 'actions'"
        if counts.ndim != 1 or counts.dtype.kind not in "iu":
            yield f"histogram {name!r} is {described(counts)}; expected integer counts [bins]"
    if not equal(output, again):
        yield "gives other results when it is run again with the same key"
