"""The contract test for an auxiliary loss of your own.

Axis letters: T steps, N lanes, B = T * N rows, K outputs of the head.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.auxiliary import AuxiliaryLoss
from jaxpot.algorithms.base import Rollout
from jaxpot.games import Environment
from jaxpot.testing.contract import described, play_at_random, require

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
