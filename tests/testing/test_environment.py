import dataclasses
from collections.abc import Callable
from typing import Any

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot import spec
from jaxpot.games import pgx_env
from jaxpot.testing import ContractError, check_environment
from tests.games.nim import Nim, NimState
from tests.marks import slow_except

replace = dataclasses.replace


@pytest.mark.parametrize(
    "game_id", slow_except(["tic_tac_toe", "kuhn_poker", "othello"], "kuhn_poker")
)
def test_pgx_games_keep_the_contract(game_id):
    check_environment(pgx_env.build(spec.PgxEnv(id=game_id)), num_games=8)


def test_a_users_own_game_keeps_the_contract():
    check_environment(Nim())


@attrs.frozen(kw_only=True, eq=False)
class Altered(Nim):
    """Nim whose states are altered on their way out of `init` and `step`."""

    dealt: Callable[[NimState], Any] = lambda state: state
    stepped: Callable[[NimState, Any], Any] = lambda state, key: state

    def init(self, key):
        return self.dealt(super().init(key))

    def step(self, state, action, key):
        return self.stepped(super().step(state, action, key), key)


def faults_of(env):
    with pytest.raises(ContractError) as caught:
        check_environment(env)
    return caught.value.faults


def test_wrong_facts_are_all_named():
    env = attrs.evolve(Nim(), heap=0, num_players=3, zero_sum=np.True_)
    assert faults_of(env) == (
        "num_players is 3; only two-player games are supported",
        "max_steps is 0; expected an int of at least 1",
        f"zero_sum is {np.True_!r}; expected a bool",
    )


def test_wrong_shapes_are_all_named():
    env = Altered(
        observation_shape=(2,),
        num_actions=4,
        dealt=lambda s: replace(s, rewards=s.rewards[:1]),
        stepped=lambda s, key: replace(s, heap=s.heap.astype(jnp.int8)),
    )
    assert faults_of(env) == (
        "state.rewards is float32[1]; expected float32[2]",
        "state.legal_action_mask is bool[3]; expected bool[4]",
        "observe gives int32[1]; observation_shape and observation_dtype say int32[2]",
        "state.heap is int32[] from init but int8[] from step",
        "state.rewards is float32[1] from init but float32[2] from step",
    )


def test_a_state_of_another_structure_is_named():
    env = Altered(stepped=lambda s, key: replace(s, heap=(s.heap, s.heap)))
    assert faults_of(env) == ("step gives a state of another structure than init",)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class OneLaneState(NimState):
    @property
    def legal_action_mask(self):
        return jnp.stack([self.heap >= taken for taken in (1, 2, 3)])


def test_a_property_that_forgets_the_lanes_is_named():
    def one_lane(state, key=None):
        return OneLaneState(**vars(state))

    assert faults_of(Altered(dealt=one_lane, stepped=one_lane)) == (
        "state.legal_action_mask of a batch of states does not have the batch as its first axis",
    )


@pytest.mark.parametrize(
    ("stepped", "fault"),
    [
        (
            lambda s, key: replace(s, rewards=jnp.maximum(s.rewards, 0)),
            "rewards do not add up to zero, but zero_sum is true",
        ),
        (
            lambda s, key: replace(s, heap=s.heap - jax.random.bernoulli(key)),
            "step draws from its key, but deterministic is true",
        ),
        (
            lambda s, key: replace(s, terminated=jnp.bool_(False), heap=jnp.int32(3)),
            "a game goes on after max_steps, 7 steps",
        ),
        (
            lambda s, key: replace(s, terminated=s.heap < 0, heap=jnp.maximum(s.heap, -1)),
            "a player to move has no legal action",
        ),
        (
            lambda s, key: replace(s, current_player=s.current_player + 2),
            "current_player is neither 0 nor 1",
        ),
        (
            lambda s, key: replace(s, rewards=s.rewards * jnp.array([jnp.inf, -jnp.inf])),
            "rewards are not finite",
        ),
    ],
)
def test_what_goes_wrong_in_play_is_named(stepped, fault):
    assert fault in faults_of(Altered(stepped=stepped))


def test_a_game_that_is_over_at_once_is_named():
    env = Altered(dealt=lambda s: replace(s, terminated=jnp.bool_(True)))
    assert faults_of(env) == ("a game is over before its first move",)


def test_the_error_lists_every_fault():
    with pytest.raises(ContractError) as caught:
        check_environment(attrs.evolve(Nim(), num_actions=0, num_players=1))
    assert str(caught.value) == (
        "Nim breaks the Environment contract:\n"
        "  - num_players is 1; only two-player games are supported\n"
        "  - num_actions is 0; expected an int of at least 1"
    )


def test_a_reused_key_is_found():
    def twice(state, key):
        del state
        jax.random.bits(key)
        return NimState(
            heap=jax.random.randint(key, (), 0, 3),
            current_player=jnp.int32(0),
            rewards=jnp.zeros(2),
            terminated=jnp.bool_(True),
        )

    with pytest.raises(jax.errors.KeyReuseError):
        check_environment(Altered(stepped=twice, deterministic=False))


@attrs.frozen(kw_only=True, eq=False)
class Structured(Nim):
    """Nim that shows two arrays, in nested dicts."""

    observation_shape: Any = attrs.field(factory=lambda: {"heap": (1,), "more": {"mover": ()}})
    observation_dtype: Any = attrs.field(
        factory=lambda: {"heap": np.dtype("int32"), "more": {"mover": np.dtype("bool")}}
    )

    def observe(self, state, player):
        return {"heap": state.heap[None], "more": {"mover": state.current_player == player}}


def test_a_game_that_shows_several_arrays_keeps_the_contract():
    check_environment(Structured(), num_games=4)


def test_every_wrong_array_is_named():
    shape = {"heap": (2,), "less": (), "more": {"mover": ()}}
    dtype = dict.fromkeys(("heap", "less"), "int32") | {"more": {"mover": "bool"}}
    assert faults_of(Structured(observation_shape=shape, observation_dtype=dtype)) == (
        "observe gives int32[1] as ['heap']; observation_shape and observation_dtype say int32[2]",
        "observe gives no ['less'], which observation_shape has",
    )
    assert faults_of(Structured(observation_shape={"heap": (1,)}, observation_dtype="int32")) == (
        "observation_shape and observation_dtype have different structures",
    )
    assert faults_of(
        Structured(observation_shape={"heap": (1,)}, observation_dtype={"heap": "int32"})
    ) == ("observe gives ['more']['mover'], which observation_shape does not have",)
