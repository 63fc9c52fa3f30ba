"""Shared by the contract tests: reporting, comparing, describing, and random games."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.games import Environment, auto_reset_step, uniform_legal_action


class ContractError(AssertionError):
    """A part breaks its contract; `faults` says how, one sentence each."""

    def __init__(self, part: object, contract: str, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        lines = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"{type(part).__name__} breaks the {contract} contract:{lines}")


def require(part: object, contract: str, faults: Iterable[str]) -> None:
    """Raise `ContractError` if there is any fault."""
    faults = tuple(faults)
    if faults:
        raise ContractError(part, contract, faults)


def described(leaf: Any) -> str:
    """Return an array's dtype and shape, such as `float32[3, 4]`."""
    return f"{leaf.dtype.name}{list(leaf.shape)}"


def equal(tree: Any, other: Any) -> bool:
    """Return whether two trees have the same bits."""
    leaves, others = jax.tree.leaves(tree), jax.tree.leaves(other)
    return len(leaves) == len(others) and all(
        np.asarray(x).tobytes() == np.asarray(y).tobytes()
        for x, y in zip(leaves, others, strict=True)
    )


def close(tree: Any, other: Any, tolerance: float) -> bool:
    """Return whether two trees differ at most by rounding."""
    return all(
        np.allclose(np.asarray(x), np.asarray(y), rtol=tolerance, atol=0.1 * tolerance)
        for x, y in zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    )


def finite(tree: Any) -> bool:
    """Return whether every number of a tree is finite."""
    return all(bool(np.isfinite(np.asarray(leaf)).all()) for leaf in jax.tree.leaves(tree))


def metric_faults(
    metrics: Mapping[str, Any], declared: Collection[str] | None = None
) -> Iterator[str]:
    """Yield faults of metrics: wrong dtypes or shapes, and names other than the declared ones."""
    for name, value in metrics.items():
        if value.shape or value.dtype.name not in ("float32", "int32"):
            yield f"metric {name!r} is {described(value)}; expected a float32 or int32 scalar"
    if declared is not None and set(declared) != set(metrics):
        yield f"declares the metrics {sorted(declared)} but gives {sorted(metrics)}"


class Played(NamedTuple):
    """`T` random steps of `N` lanes, `[T, N, ...]`, each taken in a game that is not over."""

    state: Any
    """The states before the step."""
    observation: Any
    """The observation of the seat to move."""
    legal_action_mask: Array
    seat: Array
    action: Array
    reward: Array
    done: Array
    length: Array
    """int32: steps of the game before this one."""


def play_at_random(env: Environment[Any], key: Array, *, steps: int, lanes: int) -> Played:
    """Play random games; one that ends is followed by a new one."""

    def turn(carry: Any, words: Array) -> tuple[Any, Played]:
        state, length = carry
        act_key, env_key = jax.random.split(jax.random.wrap_key_data(words))
        action = uniform_legal_action(state.legal_action_mask, act_key)
        keys = jax.random.split(env_key, lanes)
        after = jax.vmap(lambda s, a, k: auto_reset_step(env, s, a, k))(state, action, keys)
        played = Played(
            state=state,
            observation=jax.vmap(env.observe)(state, state.current_player),
            legal_action_mask=state.legal_action_mask,
            seat=state.current_player,
            action=action,
            reward=after.rewards,
            done=after.terminated,
            length=length,
        )
        return (after.state, jnp.where(after.terminated, 0, length + 1)), played

    deal_key, play_key = jax.random.split(key)
    start = jax.vmap(env.init)(jax.random.split(deal_key, lanes)), jnp.zeros(lanes, jnp.int32)
    # As words, because jax's key-reuse checker cannot follow keys through a scan.
    words = jax.random.key_data(jax.random.split(play_key, steps))
    return jax.lax.scan(turn, start, words)[1]
