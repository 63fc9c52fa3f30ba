"""The contract test for an auxiliary loss of your own.

Axis letters: T steps, N lanes, B = T * N rows, K outputs of the head.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.auxiliary import AuxiliaryLoss
from jaxpot.algorithms.base import Rollout
from jaxpot.games import Environment, auto_reset_step, uniform_legal_action
from jaxpot.testing.contract import require

_STEPS, _LANES = 12, 8


def check_auxiliary_loss(loss: AuxiliaryLoss, env: Environment[Any], *, seed: int = 0) -> None:
    """Checks that an auxiliary loss keeps to `jaxpot.algorithms.auxiliary.AuxiliaryLoss`.

    Lets it record games at random, compute its targets and compare them with outputs, jitted.

    Args:
        loss: What your config's `build` returned.
        env: The game that it was built with.
        seed: Draws the games and the outputs.

    Raises:
        ContractError: With everything that was found; the loss is called only when the targets
            hold, and those are computed only when the facts hold.
    """
    require(loss, "AuxiliaryLoss", _fact_faults(loss))
    play_key, output_key = jax.random.split(jax.random.key(seed))

    @jax.jit
    def prepare(key: Array) -> tuple[Array, Array]:
        rollout, recorded = _play(loss, env, key)
        return loss.targets(rollout, recorded)

    target, known = prepare(play_key)
    require(loss, "AuxiliaryLoss", _target_faults(target, known))

    of_rows, counts = target.reshape(-1, *target.shape[2:]), known.reshape(-1)
    output = jax.random.normal(output_key, (known.size, loss.width))
    require(loss, "AuxiliaryLoss", _shape_faults(jax.eval_shape(loss.loss, output, of_rows)))

    @jax.jit
    @jax.value_and_grad
    def compare(output: Array) -> Array:
        return jnp.where(counts, loss.loss(output, of_rows), 0.0).sum()

    require(loss, "AuxiliaryLoss", _loss_faults(*compare(output)))


def _play(loss: AuxiliaryLoss, env: Environment[Any], key: Array) -> tuple[Rollout, Array | None]:
    """Plays `[T, N]` steps at random, both seats trained."""

    def turn(carry: Any, key: Array) -> tuple[Any, tuple[Rollout, Any]]:
        state, length = carry
        act_key, env_key = jax.random.split(key)
        seat = state.current_player
        action = uniform_legal_action(state.legal_action_mask, act_key)
        after = jax.vmap(lambda s, a, k: auto_reset_step(env, s, a, k))(
            state, action, jax.random.split(env_key, _LANES)
        )
        row = Rollout(
            observation=jax.vmap(env.observe)(state, seat),
            legal_action_mask=state.legal_action_mask,
            action=action,
            seat=seat,
            trained=jnp.ones_like(after.terminated),
            reward=after.rewards,
            done=after.terminated,
            length=length,
            trained_seats=jnp.full_like(seat, 2),
            extras={},
            final_value=jnp.zeros(()),
            bootstrap_mask=jnp.zeros((), jnp.bool_),
        )
        length = jnp.where(after.terminated, 0, length + 1)
        return (after.state, length), (row, loss.record(env, state))

    deal_key, play_key = jax.random.split(key)
    start = jax.vmap(env.init)(jax.random.split(deal_key, _LANES))
    start = (start, jnp.zeros(_LANES, jnp.int32))
    _, (rows, recorded) = jax.lax.scan(turn, start, jax.random.split(play_key, _STEPS))
    final = {"final_value": jnp.zeros((_LANES, 2)), "bootstrap_mask": jnp.ones((_LANES, 2), bool)}
    return rows._replace(**final), recorded


def _fact_faults(loss: AuxiliaryLoss) -> Iterator[str]:
    if not isinstance(loss.target, str) or not loss.target:
        yield f"target is {loss.target!r}; expected a name"
    if type(loss.width) is not int or loss.width < 1:
        yield f"width is {loss.width!r}; expected an int of at least 1"
    if not isinstance(loss.coeff, int | float) or not loss.coeff >= 0:
        yield f"coeff is {loss.coeff!r}; expected a number of at least 0"


def _target_faults(target: Array, known: Array) -> Iterator[str]:
    rows = (_STEPS, _LANES)
    if target.shape[:2] != rows:
        yield f"targets gives {_described(target)}; its first axes must be {list(rows)}"
    if (known.shape, known.dtype.name) != (rows, "bool"):
        yield f"targets says which rows have one as {_described(known)}; expected bool{list(rows)}"
    elif not known.any():
        yield "targets gives no row a target"


def _shape_faults(each: jax.ShapeDtypeStruct) -> Iterator[str]:
    expected = ((_STEPS * _LANES,), "float32")
    if (each.shape, each.dtype.name) != expected:
        yield f"loss gives {_described(each)}; expected {expected[1]}{list(expected[0])}"


def _loss_faults(total: Array, gradient: Array) -> Iterator[str]:
    if not jnp.isfinite(total) or not jnp.isfinite(gradient).all():
        yield "loss or its gradient is not finite"
    elif not gradient.any():
        yield "loss does not depend on the head's outputs"


def _described(leaf: Array | jax.ShapeDtypeStruct) -> str:
    return f"{leaf.dtype.name}{list(leaf.shape)}"
