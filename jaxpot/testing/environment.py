"""The contract test for a game of your own."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.games.base import Environment, uniform_legal_action, where_lane
from jaxpot.testing.contract import described, require

_STATE_FIELDS = {"current_player": "int32[]", "rewards": "float32[2]", "terminated": "bool[]"}


def check_environment(env: Environment[Any], *, num_games: int = 32, seed: int = 0) -> None:
    """Check that a game fulfils `jaxpot.games.Environment`: its attributes, shapes, and in play.

    Traces one lane with jax's key-reuse checker on, then plays `num_games` random games in one
    compiled program.

    Raises:
        ContractError: Some rules are broken; the error lists all that could be checked. Shapes are
            checked only if the attributes are right, and play only if the shapes are.
        jax.errors.KeyReuseError: `init` or `step` uses a key twice.
    """
    require(env, "Environment", _attribute_faults(env))
    with jax.debug_key_reuse(True):
        require(env, "Environment", _shape_faults(env))
    # Under `vmap`, a `lax.cond` that draws becomes a selection between keys, which the checker
    # mistakes for a second use.
    with jax.debug_key_reuse(False):
        play = jax.jit(lambda key: _play(env, key, num_games=num_games))
        found = jax.device_get(play(jax.random.key(seed)))
    require(env, "Environment", (fault for fault, occurred in found.items() if occurred))


def _attribute_faults(env: Environment[Any]) -> Iterator[str]:
    if env.num_players != 2:
        yield f"num_players is {env.num_players}; only two-player games are supported"
    for name in ("num_actions", "max_steps"):
        value = getattr(env, name)
        if type(value) is not int or value < 1:
            yield f"{name} is {value!r}; expected an int of at least 1"
    for name in ("zero_sum", "both_views", "deterministic", "perfect_information"):
        value = getattr(env, name)
        if type(value) is not bool:
            yield f"{name} is {value!r}; expected a bool"


def _shape_faults(env: Environment[Any]) -> Iterator[str]:
    init_key, step_key = jax.random.key(0), jax.random.key(1)
    state = jax.eval_shape(env.init, init_key)
    fields = _STATE_FIELDS | {"legal_action_mask": f"bool[{env.num_actions}]"}
    for name, expected in fields.items():
        leaf = jax.eval_shape(lambda s, name=name: jnp.asarray(getattr(s, name)), state)
        if described(leaf) != expected:
            yield f"state.{name} is {described(leaf)}; expected {expected}"
        elif not _keeps_lanes(env, name, leaf.shape):
            yield f"state.{name} of a batch of states does not have the batch as its first axis"
    yield from _observation_faults(env, state)
    stepped = jax.eval_shape(env.step, state, jnp.int32(0), step_key)
    if jax.tree.structure(stepped) != jax.tree.structure(state):
        yield "step gives a state of another structure than init"
        return
    before = jax.tree_util.tree_leaves_with_path(state)
    for (path, old), new in zip(before, jax.tree.leaves(stepped), strict=True):
        if described(old) != described(new):
            where = jax.tree_util.keystr(path)
            yield f"state{where} is {described(old)} from init but {described(new)} from step"


def _observation_faults(env: Environment[Any], state: Any) -> Iterator[str]:
    """Compare observations with the game's attributes, array by array where there are several."""
    shapes = _leaves(env.observation_shape)
    dtypes = _leaves(env.observation_dtype)
    if shapes.keys() != dtypes.keys():
        yield "observation_shape and observation_dtype have different structures"
        return
    seen = _leaves(jax.eval_shape(env.observe, state, jnp.int32(0)))
    for place in sorted(seen.keys() | shapes.keys()):
        if place not in seen:
            yield f"observe gives no {place}, which observation_shape has"
        elif place not in shapes:
            yield f"observe gives {place}, which observation_shape does not have"
        elif seen[place].shape != tuple(shapes[place]) or seen[place].dtype != dtypes[place]:
            yield (
                f"observe gives {described(seen[place])}{place and f' as {place}'}; "
                f"observation_shape and observation_dtype say "
                f"{np.dtype(dtypes[place]).name}{list(shapes[place])}"
            )


def _leaves(tree: Any, place: str = "") -> dict[str, Any]:
    """Return the leaves of nested dicts by the keys that lead to them."""
    if not isinstance(tree, dict):
        return {place: tree}
    children = (_leaves(child, f"{place}[{key!r}]") for key, child in tree.items())
    return {path: leaf for child in children for path, leaf in child.items()}


def _keeps_lanes(env: Environment[Any], name: str, shape: tuple[int, ...]) -> bool:
    lanes = 5
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), lanes))
    try:
        leaf = jax.eval_shape(lambda keys: getattr(jax.vmap(env.init)(keys), name), keys)
    except (TypeError, ValueError):  # a property that does not broadcast over lanes
        return False
    return leaf.shape == (lanes, *shape)


def _play(env: Environment[Any], key: Array, *, num_games: int) -> dict[str, Array]:
    """Play random games to their ends, and return for each possible fault whether it occurred."""

    def found_before(state: Any, playing: Array) -> dict[str, Array]:
        mover = state.current_player
        return {
            "current_player is neither 0 nor 1": playing & (mover != 0) & (mover != 1),
            "a player to move has no legal action": playing & ~state.legal_action_mask.any(-1),
        }

    def found_after(stepped: Any, again: Any, playing: Array) -> dict[str, Array]:
        faults = {
            "rewards are not finite": playing & ~jnp.isfinite(stepped.rewards).all(-1),
        }
        if env.zero_sum:
            unbalanced = stepped.rewards.sum(-1) != 0
            faults["rewards do not add up to zero, but zero_sum is true"] = playing & unbalanced
        if env.deterministic:
            chance = ~_same(stepped, again)
            faults["step draws from its key, but deterministic is true"] = playing & chance
        return faults

    def turn(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        step, key, state, found = carry
        key, act_key, env_key, other_key = jax.random.split(key, 4)
        playing = ~state.terminated
        action = uniform_legal_action(state.legal_action_mask, act_key)
        move = jax.vmap(env.step)
        stepped = move(state, action, jax.random.split(env_key, num_games))
        again = move(state, action, jax.random.split(other_key, num_games))
        now = found_before(state, playing) | found_after(stepped, again, playing)
        found = {fault: found[fault] | lanes.any() for fault, lanes in now.items()}
        return step + 1, key, jax.vmap(where_lane)(playing, stepped, state), found

    deal_key, play_key = jax.random.split(key)
    start = jax.vmap(env.init)(jax.random.split(deal_key, num_games))
    names = jax.eval_shape(
        lambda: found_before(start, start.terminated) | found_after(start, start, start.terminated)
    )
    end = jax.lax.while_loop(
        lambda carry: ~carry[2].terminated.all() & (carry[0] < env.max_steps),
        turn,
        (0, play_key, start, dict.fromkeys(names, jnp.bool_(False))),
    )
    return end[3] | {
        "a game is over before its first move": start.terminated.any(),
        f"a game goes on after max_steps, {env.max_steps} steps": ~end[2].terminated.all(),
    }


def _same(state: Any, other: Any) -> Array:
    """Return lane by lane whether two batched states are equal."""
    leaves = zip(jax.tree.leaves(state), jax.tree.leaves(other), strict=True)
    equal = [(a == b).reshape(a.shape[0], -1).all(-1) for a, b in leaves if a.size]
    return jnp.stack(equal).all(0)
