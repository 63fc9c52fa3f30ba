"""Returns and advantages per seat, over games in which two seats take turns.

A seat's transition runs from one of its decisions to its next, whoever moved in between; the
rewards that it gets on the way belong to the decision. Discounts count a seat's own decisions. At a
game's end nothing follows.

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
    """bool: whether the row's return rests on an end or on a value, not on a blind cut."""


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

    def decide(following: Any, paid: Array, value: Array) -> tuple[Any, Advantages]:
        next_value, next_advantage, known = following
        delta = paid + gamma * next_value - value
        advantage = delta + gamma * gae_lambda * next_advantage
        return (value, advantage, known), Advantages(advantage, advantage + value, known)

    start = (final_value, jnp.zeros_like(final_value), final_known)
    game = {"reward": reward, "done": done, "seat": seat}
    return _own_decisions(decide, start, value, **game, step_gamma=step_gamma)


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

    def decide(following: Any, paid: Array, value: Array) -> tuple[Any, Advantages]:
        next_return, known = following
        target = paid + gamma * next_return
        return (target, known), Advantages(target - value, target, known)

    start = (jnp.zeros_like(reward[0]), jnp.zeros(reward.shape[1:], jnp.bool_))
    return _own_decisions(decide, start, value, reward=reward, done=done, seat=seat)


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

    # Beside each seat, of its next decision: the returns of 0 to steps - 1 decisions, [N, 2, K].
    def decide(following: Any, paid: Array, value: Array) -> tuple[Any, Advantages]:
        returns, knowns = following
        more = paid[:, None] + gamma * returns
        target, known = more[:, -1], knowns[:, -1]
        now = (
            jnp.concatenate([value[:, None], more[:, :-1]], axis=1),
            jnp.concatenate([jnp.ones_like(knowns[:, :1]), knowns[:, :-1]], axis=1),
        )
        return now, Advantages(target - value, target, known)

    start = jax.tree.map(
        lambda x: jnp.repeat(x[..., None], steps, axis=-1), (final_value, final_known)
    )
    game = {"reward": reward, "done": done, "seat": seat}
    return _own_decisions(decide, start, value, **game, step_gamma=step_gamma)


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

    def decide(following: Any, paid: Array, row: Any) -> tuple[Any, Advantages]:
        next_value, next_excess, known = following
        value, log_ratio = row
        # Clipped before it is raised, so that no ratio overflows.
        rho, c = (jnp.exp(jnp.minimum(log_ratio, jnp.log(x))) for x in (rho_clip, c_clip))
        delta = paid + gamma * next_value - value
        excess = rho * delta + gamma * gae_lambda * c * next_excess
        advantage = rho * (delta + gamma * gae_lambda * next_excess)
        return (value, excess, known), Advantages(advantage, excess + value, known)

    start = (final_value, jnp.zeros_like(final_value), final_known)
    rows = (value, log_ratio)
    return _own_decisions(decide, start, rows, reward=reward, done=done, seat=seat)


def _own_decisions(
    decide: Callable[[Any, Array, Any], tuple[Any, Advantages]],
    start: Any,
    rows: Any,
    *,
    reward: Array,
    done: Array,
    seat: Array,
    step_gamma: float = 1.0,
) -> Advantages:
    """Folds `decide` backwards over each seat's own decisions.

    Args:
        decide: Takes what the seat keeps of its next decision, the rewards paid until then `[N]`,
            and the row; returns what it keeps of this decision, and the row's outcome.
        start: `[N, 2, ...]`: what each seat keeps of the time after the rollout. At a game's end
            it is zero where it is float32, and true where it is bool.
        rows: `[T, N]` arrays, handed to `decide` step by step.
        reward: `[T, N, 2]` float32.
        done: `[T, N]` bool.
        seat: `[T, N]` int32.
        step_gamma: Discount of all that follows a step, whoever moved.
    """
    end = jax.tree.map(lambda x: jnp.full_like(x, x.dtype == jnp.bool_), start)

    def discounted(x: Array) -> Array:
        return step_gamma * x if jnp.issubdtype(x.dtype, jnp.floating) else x

    def backward(carry, row):
        following, pending = carry
        given, reward_t, done_t, seat_t = row
        following = where_lanes(done_t, end, following)
        pending = jnp.where(done_t[:, None], 0.0, pending)
        if step_gamma != 1.0:
            following, pending = jax.tree.map(discounted, (following, pending))
        pending = pending + reward_t
        now, outcome = decide(of_seat(following, seat_t), of_seat(pending, seat_t), given)
        following = with_seat(following, seat_t, now)
        pending = with_seat(pending, seat_t, jnp.zeros_like(pending[:, 0]))
        return (following, pending), outcome

    carry = (start, jnp.zeros_like(reward[0]))
    return jax.lax.scan(backward, carry, (rows, reward, done, seat), reverse=True)[1]
