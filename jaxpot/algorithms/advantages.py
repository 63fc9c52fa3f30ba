"""Returns and advantages per seat, over games in which two seats take turns.

A seat's transition runs from one of its decisions to its next one; the other seat may move in
between. The rewards on the way belong to the decision. Discounts count a seat's own decisions. The
value after a game's end is zero.

Where the rollout cuts a game, each seat bootstraps from its final value. A seat without one is cut
at its last decision instead: that row is invalid, and the earlier ones bootstrap from its value.

The final value of the seat that is not to move is the negative of the mover's (rows contract v2).
Without a discount that is exact. With one, the rewards of the mover's later moves are discounted
once more than in the middle of a rollout, by a further factor of `gamma`.

Axis letters: T steps, N lanes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.base import Rollout
from jaxpot.models.memory import of_seat, where_lanes, with_seat


class Advantages(NamedTuple):
    """The result of one backward scan over a rollout; all `[T, N]`."""

    advantage: Array
    """float32: the return estimate less the value of the seat that acted."""
    target: Array
    """float32: the value's target."""
    known: Array
    """bool: whether the row has a target; rows cut off without a bootstrap value have none."""


def played(rollout: Rollout) -> dict[str, Any]:
    """Return the arguments that say how the games went."""
    return {"reward": rollout.reward, "done": rollout.done, "seat": rollout.seat}


def bootstrap(rollout: Rollout) -> dict[str, Any]:
    """Return the arguments that say what to bootstrap from."""
    return {"final_value": rollout.final_value, "bootstrap_mask": rollout.bootstrap_mask}


def per_seat_gae(
    *,
    value: Array,
    reward: Array,
    done: Array,
    seat: Array,
    final_value: Array,
    bootstrap_mask: Array,
    gamma: float,
    gae_lambda: float,
    step_gamma: float = 1.0,
) -> Advantages:
    """Compute GAE (Schulman et al. 2016, eq. 16) for each seat over its own decisions.

    Args:
        value: `[T, N]` float32, the acting seat's value estimate.
        reward: `[T, N, 2]` float32, both seats' rewards of the step.
        done: `[T, N]` bool, whether the step ended the game.
        seat: `[T, N]` int32, the seat that acted, 0 or 1.
        final_value: `[N, 2]` float32, each seat's value of the state after the last step.
        bootstrap_mask: `[N, 2]` bool, whether the seat has such a value, to bootstrap from.
        gamma: Discount per decision.
        gae_lambda: Trace decay.
        step_gamma: A further discount, per step of either seat.
    """

    def decide(following: Any, paid: Array, value: Array) -> tuple[Any, Array, Array]:
        next_value, next_advantage = following
        delta = paid + gamma * next_value - value
        advantage = delta + gamma * gae_lambda * next_advantage
        return (value, advantage), advantage, advantage + value

    return _own_decisions(
        decide,
        _without_trace,
        value,
        final=(final_value, bootstrap_mask),
        reward=reward,
        done=done,
        seat=seat,
        step_gamma=step_gamma,
    )


def per_seat_return(
    *, value: Array, reward: Array, done: Array, seat: Array, gamma: float
) -> Advantages:
    """Compute each seat's return to the game's end, known only where the rollout has that end.

    The arguments are those of `per_seat_gae`.
    """

    def decide(following: Any, paid: Array, value: Array) -> tuple[Any, Array, Array]:
        target = paid + gamma * following
        return target, target - value, target

    return _own_decisions(decide, None, value, final=None, reward=reward, done=done, seat=seat)


def n_step_return(
    *,
    value: Array,
    reward: Array,
    done: Array,
    seat: Array,
    final_value: Array,
    bootstrap_mask: Array,
    gamma: float,
    steps: int,
    step_gamma: float = 1.0,
) -> Advantages:
    """Compute the return of a seat's next `steps` own decisions (Sutton and Barto 2018, eq. 7.1).

    It bootstraps from the value of the decision after those: `value` within the rollout,
    `final_value` if the cut comes first. The other arguments are those of `per_seat_gae`.

    Args:
        steps: Own decisions whose rewards count; at least 1.
    """

    # The scan carries the returns of 0 to steps - 1 decisions from the seat's next one on, [N, K].
    def decide(following: Any, paid: Array, value: Array) -> tuple[Any, Array, Array]:
        more = paid[:, None] + gamma * following
        target = more[:, -1]
        return jnp.concatenate([value[:, None], more[:, :-1]], axis=1), target - value, target

    def cut(value: Array) -> Any:
        return jnp.repeat(value[..., None], steps, axis=-1)

    return _own_decisions(
        decide,
        cut,
        value,
        final=(final_value, bootstrap_mask),
        reward=reward,
        done=done,
        seat=seat,
        step_gamma=step_gamma,
    )


def per_seat_vtrace(
    *,
    value: Array,
    reward: Array,
    done: Array,
    seat: Array,
    final_value: Array,
    bootstrap_mask: Array,
    log_ratio: Array,
    gamma: float,
    gae_lambda: float,
    rho_clip: float,
    c_clip: float,
) -> Advantages:
    """Compute V-trace's targets and policy advantages (Espeholt et al. 2018, section 4).

    Each seat is corrected over its own decisions; the other seat is part of its environment. The
    trace is cut by `gae_lambda * min(c_clip, ratio)` (remark 2), and the advantage uses the same
    mix of the next target and the next value. With all ratios 1 and both clips at least 1, this is
    GAE. The other arguments are those of `per_seat_gae`; `value` is the agent's, for either seat.

    Args:
        log_ratio: `[T, N]` float32, the log-probability of the action under the agent less that
            under the network that chose it; 0 where the agent did.
        rho_clip: Upper bound of the ratio in temporal differences and advantages.
        c_clip: Upper bound of the ratio in the trace.
    """

    def decide(
        following: Any, paid: Array, value: Array, log_ratio: Array
    ) -> tuple[Any, Array, Array]:
        next_value, next_excess = following
        # Clip before the exponential, so that no ratio overflows.
        rho, c = (jnp.exp(jnp.minimum(log_ratio, jnp.log(x))) for x in (rho_clip, c_clip))
        delta = paid + gamma * next_value - value
        excess = rho * delta + gamma * gae_lambda * c * next_excess
        advantage = rho * (delta + gamma * gae_lambda * next_excess)
        return (value, excess), advantage, excess + value

    return _own_decisions(
        decide,
        _without_trace,
        value,
        log_ratio,
        final=(final_value, bootstrap_mask),
        reward=reward,
        done=done,
        seat=seat,
    )


def _without_trace(value: Array) -> tuple[Array, Array]:
    """Return the carry of a seat that bootstraps: the value, and a trace of zero."""
    return value, jnp.zeros_like(value)


def _own_decisions(
    decide: Callable[..., tuple[Any, Array, Array]],
    cut: Callable[[Array], Any] | None,
    value: Array,
    *more: Array,
    final: tuple[Array, Array] | None,
    reward: Array,
    done: Array,
    seat: Array,
    step_gamma: float = 1.0,
) -> Advantages:
    """Fold `decide` backwards over each seat's own decisions.

    Args:
        decide: Takes the seat's carry from its next decision, the rewards until then `[N]`, the
            row's value and its `more`; returns the seat's carry from this decision, the advantage
            and the target.
        cut: Returns the carry of a seat that bootstraps from a value. None if targets need the
            game's end; the carry is then one number.
        value: As for `per_seat_gae`, like `reward`, `done`, `seat` and `step_gamma`.
        *more: `[T, N]` arrays, passed to `decide` step by step.
        final: `final_value` and `bootstrap_mask`; None without `cut`.
    """
    if cut is None or final is None:
        start, start_known = jnp.zeros_like(reward[0]), jnp.zeros(reward.shape[1:], jnp.bool_)
    else:
        start, start_known = cut(final[0]), final[1]
    end = jax.tree.map(jnp.zeros_like, start)

    def backward(carry, row):
        following, known, pending = carry
        reward_t, done_t, seat_t, value_t, *more_t = row
        following = where_lanes(done_t, end, following)
        known = known | done_t[:, None]
        pending = jnp.where(done_t[:, None], 0.0, pending)
        if step_gamma != 1.0:
            following, pending = jax.tree.map(lambda x: step_gamma * x, (following, pending))
        pending = pending + reward_t
        now, advantage, target = decide(
            of_seat(following, seat_t), of_seat(pending, seat_t), value_t, *more_t
        )
        known_now = of_seat(known, seat_t)
        if cut is not None:
            now = where_lanes(known_now, now, cut(value_t))
            known = with_seat(known, seat_t, jnp.ones_like(known_now))
        following = with_seat(following, seat_t, now)
        pending = with_seat(pending, seat_t, jnp.zeros_like(pending[:, 0]))
        return (following, known, pending), Advantages(advantage, target, known_now)

    carry = (start, start_known, jnp.zeros_like(reward[0]))
    return jax.lax.scan(backward, carry, (reward, done, seat, value, *more), reverse=True)[1]
