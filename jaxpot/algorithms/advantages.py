"""Returns and advantages per seat, over games in which two seats take turns.

A seat's transition runs from one of its decisions to its next, whoever moved in between; the
rewards that it gets on the way belong to the decision. Discounts count a seat's own decisions. At a
game's end nothing follows.

Where a rollout cuts a game, a seat goes on with its final value. A seat that has none is cut at its
last decision instead: that row has no target, and the earlier ones bootstrap from its value.

The final value of the seat that is not to move is the negative of the mover's (rows contract v2).
It is exact without a discount. With one, what the mover's moves pay from there on is discounted
once more than it is in the middle of a rollout: a factor of `gamma` in what that row rests on.

Axis letters: T steps, N lanes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.models.memory import of_seat, where_lanes, with_seat


class Advantages(NamedTuple):
    """What one backward scan over a rollout gives; all `[T, N]`."""

    advantage: Array
    """float32: how much better the action was than the value of the seat that acted."""
    target: Array
    """float32: the value's target."""
    known: Array
    """bool: whether the row has a target: its next decision, an end or a value is known."""


def per_seat_gae(
    *,
    value: Array,
    reward: Array,
    done: Array,
    seat: Array,
    final_value: Array,
    final_known: Array,
    gamma: float,
    gae_lambda: float,
    step_gamma: float = 1.0,
) -> Advantages:
    """Computes GAE (Schulman et al. 2016, eq. 16) for each seat over its own decisions.

    Args:
        value: `[T, N]` float32, the acting seat's value estimate.
        reward: `[T, N, 2]` float32, both seats' rewards of the step.
        done: `[T, N]` bool, whether the step ended the game.
        seat: `[T, N]` int32, the seat that acted, 0 or 1.
        final_value: `[N, 2]` float32, each seat's value of the state after the last step.
        final_known: `[N, 2]` bool, whether that value may be bootstrapped from.
        gamma: Discount per decision.
        gae_lambda: Trace decay.
        step_gamma: Discount per step besides, whoever moved.
    """

    def decide(following: Any, paid: Array, value: Array) -> tuple[Any, Array, Array]:
        next_value, next_advantage = following
        delta = paid + gamma * next_value - value
        advantage = delta + gamma * gae_lambda * next_advantage
        return (value, advantage), advantage, advantage + value

    return _own_decisions(
        decide,
        _value_alone,
        value,
        final=(final_value, final_known),
        reward=reward,
        done=done,
        seat=seat,
        step_gamma=step_gamma,
    )


def per_seat_return(
    *, value: Array, reward: Array, done: Array, seat: Array, gamma: float
) -> Advantages:
    """Computes what each seat got to the game's end, known only where the rollout saw that end.

    Args:
        value: `[T, N]` float32, the acting seat's value estimate, which the advantage is over.
        reward: `[T, N, 2]` float32, both seats' rewards of the step.
        done: `[T, N]` bool, whether the step ended the game.
        seat: `[T, N]` int32, the seat that acted, 0 or 1.
        gamma: Discount per decision.
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
    final_known: Array,
    gamma: float,
    steps: int,
    step_gamma: float = 1.0,
) -> Advantages:
    """Computes the return of a seat's next `steps` own decisions (Sutton and Barto 2018, eq. 7.1).

    It goes on with the value of the decision behind those: `value` in the rollout, `final_value`
    where the cut comes first.

    Args:
        value: `[T, N]` float32, the acting seat's value estimate, such as a search's at its root.
        reward: `[T, N, 2]` float32, both seats' rewards of the step.
        done: `[T, N]` bool, whether the step ended the game.
        seat: `[T, N]` int32, the seat that acted, 0 or 1.
        final_value: `[N, 2]` float32, each seat's value of the state after the last step.
        final_known: `[N, 2]` bool, whether that value may be bootstrapped from.
        gamma: Discount per decision.
        steps: Own decisions whose rewards count; at least 1.
        step_gamma: Discount per step besides, whoever moved.
    """

    # What a seat keeps of its next decision: the returns of 0 to steps - 1 decisions, [N, K].
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
        final=(final_value, final_known),
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
    final_known: Array,
    log_ratio: Array,
    gamma: float,
    gae_lambda: float,
    rho_clip: float,
    c_clip: float,
) -> Advantages:
    """Computes V-trace's targets and policy advantages (Espeholt et al. 2018, section 4).

    Each seat is corrected over its own decisions: what the other one does is its environment. The
    trace is cut by `gae_lambda * min(c_clip, ratio)` (remark 2), and the advantage goes on with the
    same mix of the next target and the next value; so where every ratio is 1, and the clips at
    least that, this is GAE.

    Args:
        value: `[T, N]` float32, the agent's value estimate of what the acting seat saw.
        reward: `[T, N, 2]` float32, both seats' rewards of the step.
        done: `[T, N]` bool, whether the step ended the game.
        seat: `[T, N]` int32, the seat that acted, 0 or 1.
        final_value: `[N, 2]` float32, each seat's value of the state after the last step.
        final_known: `[N, 2]` bool, whether that value may be bootstrapped from.
        log_ratio: `[T, N]` float32, log of the action's probability under the agent less that
            under whoever took it; 0 where that was the agent.
        gamma: Discount per decision.
        gae_lambda: Trace decay.
        rho_clip: Most that a ratio weighs a temporal difference and the advantage.
        c_clip: Most that a ratio lets through of the trace.
    """

    def decide(
        following: Any, paid: Array, value: Array, log_ratio: Array
    ) -> tuple[Any, Array, Array]:
        next_value, next_excess = following
        # Clipped before it is raised, so that no ratio overflows.
        rho, c = (jnp.exp(jnp.minimum(log_ratio, jnp.log(x))) for x in (rho_clip, c_clip))
        delta = paid + gamma * next_value - value
        excess = rho * delta + gamma * gae_lambda * c * next_excess
        advantage = rho * (delta + gamma * gae_lambda * next_excess)
        return (value, excess), advantage, excess + value

    return _own_decisions(
        decide,
        _value_alone,
        value,
        log_ratio,
        final=(final_value, final_known),
        reward=reward,
        done=done,
        seat=seat,
    )


def _value_alone(value: Array) -> tuple[Array, Array]:
    """Returns what a seat keeps where a value is all that is known: that, and no trace."""
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
    """Folds `decide` backwards over each seat's own decisions.

    Args:
        decide: Takes what the seat keeps of its next decision, the rewards paid until then `[N]`,
            the row's value and what `more` has of it; returns what the seat keeps of this decision,
            the advantage and the target.
        cut: Returns what a seat keeps where nothing but a value is known of the time after. None
            where targets rest on games' ends alone: what is kept is then one number.
        value: `[T, N]` float32, the acting seat's value estimate.
        *more: `[T, N]` arrays, handed to `decide` step by step.
        final: Each seat's value of the time after the rollout, `[N, 2]` float32, and whether it
            may be used, `[N, 2]` bool; None without `cut`.
        reward: `[T, N, 2]` float32.
        done: `[T, N]` bool.
        seat: `[T, N]` int32.
        step_gamma: Discount of all that follows a step, whoever moved.
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
