"""Numbers of a spec as the float32 of the program: what is lost is refused, with what holds."""

import math
import re
import struct

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.spec import float32
from jaxpot.spec.configs.algorithms import PPO
from jaxpot.spec.fields import rules_of
from jaxpot.spec.registry import REGISTRIES
from jaxpot.spec.structure import structure
from tests.spec.specs import FULL, SMALL, changed

OWN = "tests.spec.own_parts"
LEAGUE = {"size": 1, "add_every": 1}


def faults(path, value, base=SMALL):
    _, found, _ = structure(changed(base, path, value), import_user_code=True)
    return [fault for fault in found if fault.code == "not-float32"]


def schedule(kind, **values):
    return {"kind": kind, "iterations": 100, **values}


ADAMW = {"kind": "adamw"}
LOST = {
    # A separate number.
    "zero": ("optimizer", {**ADAMW, "learning_rate": 1e-46}, "learning_rate"),
    "flushed": ("optimizer", {**ADAMW, "learning_rate": 1e-40}, "learning_rate"),
    "infinite": ("optimizer", {**ADAMW, "learning_rate": 1e39}, "learning_rate"),
    "just infinite": ("optimizer", {**ADAMW, "eps": 3.4028236e38}, "eps"),
    "onto an end": ("optimizer", {**ADAMW, "b1": 0.99999999999}, "b1"),
    "momentum": ("optimizer", {"kind": "sgd", "momentum": 0.99999998}, "momentum"),
    "dropout onto an end": ("model", {"kind": "mlp", "dropout": 0.99999999}, "dropout"),
    "a negative one": ("league", {**LEAGUE, "forgotten_margin": -1e-46}, "forgotten_margin"),
    "a coefficient": ("algorithm", {"kind": "ppo", "value_coeff": 1e40}, "value_coeff"),
    "a union's": ("algorithm", {"kind": "ppo", "value_clip": 1e-46}, "value_clip"),
    "of a search": ("algorithm", {"kind": "alphazero", "gamma": 1e-50}, "gamma"),
    "auxiliary": ("auxiliary", {"game_progress": {"coeff": 1e39}}, "coeff"),
    "a schedule's": (
        "algorithm",
        {"kind": "ppo", "entropy_coeff": {"kind": "constant", "value": 1e-46}},
        "value",
    ),
    # What is left of 1.
    "1 - tau": ("target", {"tau": 1e-9}, "tau"),
    "1 - score_alpha": ("league", {**LEAGUE, "score_alpha": 1e-9}, "score_alpha"),
    "1 - dropout": ("model", {"kind": "mlp", "dropout": 1e-9}, "dropout"),
    "1 - dirichlet_fraction": (
        "algorithm",
        {"kind": "alphazero", "policy": "muzero", "dirichlet_fraction": 1e-9},
        "dirichlet_fraction",
    ),
    # What is made of one or of two.
    "1 + clip_eps": ("algorithm", {"kind": "ppo", "clip_eps": 1e-9}, "clip_eps"),
    "1 / (1 + clip_eps)": ("algorithm", {"kind": "ppo", "clip_eps": 2e38}, "clip_eps"),
    "1 - clip_eps": (
        "algorithm",
        {"kind": "ppo", "clip_range": "linear", "clip_eps": 1e-9},
        "clip_eps",
    ),
    "gamma * gae_lambda": (
        "algorithm",
        {"kind": "ppo", "gamma": 1e-30, "gae_lambda": 1e-20},
        "gae_lambda",
    ),
    "gamma * td_lambda": (
        "algorithm",
        {"kind": "alphazero", "value_target": "lambda", "gamma": 1e-30, "td_lambda": 1e-20},
        "td_lambda",
    ),
    "infinite learning_rate * weight_decay": (
        "optimizer",
        {**ADAMW, "learning_rate": schedule("linear", init=1e30, end=1e29), "weight_decay": 1e30},
        "weight_decay",
    ),
    "a constant's warm-up": (
        "optimizer",
        {**ADAMW, "learning_rate": {"kind": "constant", "value": 2e-38, "warmup": 10}},
        "value",
    ),
    "a cosine's warm-up": (
        "optimizer",
        {**ADAMW, "learning_rate": schedule("cosine", init=2e-38, end=0.0, warmup=10)},
        "init",
    ),
    "the end of a line": (
        "optimizer",
        {**ADAMW, "learning_rate": schedule("linear", init=1.0, end=1e-9)},
        "end",
    ),
    "the start of a cosine": (
        "optimizer",
        {**ADAMW, "learning_rate": schedule("cosine", init=1e-9, end=1.0)},
        "init",
    ),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_refused_with_numbers_that_hold(name):
    section, table, key = LOST[name]
    found = faults((section,), table)
    assert found and {fault.path[-1] for fault in found} == {key}
    for fault in found:
        assert fault.allowed, fault
    # Each fault gives a number that holds for it; the strictest one holds for all.
    given = [float(re.search(r"at (?:least|most) (\S+)", fault.allowed)[1]) for fault in found]
    path = found[0].path
    low = any("at least" in fault.allowed for fault in found)
    right = max(given) if low and min(given) > 0 else min(given)
    whole = changed(changed(SMALL, (section,), table), path, right)
    _, rest, _ = structure(whole, import_user_code=True)
    assert not [fault for fault in rest if fault.code == "not-float32"]


HOLDS = {
    "the host's bounds": (("expect",), [{"metric": "total_loss", "min": -1e300, "max": 1e-46}]),
    "zero": (("optimizer",), {**ADAMW, "weight_decay": 0.0}),
    "the largest": (("optimizer",), {**ADAMW, "max_grad_norm": 3.4028235e38}),
    "the smallest": (("optimizer",), {**ADAMW, "learning_rate": 1.1754944e-38, "weight_decay": 0}),
    "an end that may be": (("algorithm",), {"kind": "ppo", "gamma": 0.99999999999}),
    "a bound that float32 rounds": (("league",), {**LEAGUE, "temperature": 1e-6}),
    "a product that is meant to be zero": (("algorithm",), {"kind": "ppo", "gamma": 0.0}),
    "the end of a cosine": (
        ("optimizer",),
        {**ADAMW, "learning_rate": schedule("cosine", init=1.0, end=1e-9)},
    ),
    "one": (("target",), {"tau": 1.0}),
}


@pytest.mark.parametrize("name", HOLDS)
def test_what_holds_is_taken(name):
    assert faults(*HOLDS[name]) == []


def test_every_spec_of_the_tests_holds():
    assert structure(FULL, import_user_code=False)[1] == []


def test_every_float_is_held_to_float32_but_those_of_the_host():
    host = {"Expect.min", "Expect.max"}
    classes = {row.config for registry in REGISTRIES for row in registry.rows}
    for cls in classes:
        for field in attrs.fields(attrs.resolve_types(cls)):
            assert rules_of(field).host == (f"{cls.__name__}.{field.name}" in host)
    with pytest.raises(ValueError, match="1e-46 is 0 as float32"):
        PPO(value_coeff=1e-46)


@pytest.mark.parametrize(
    ("table", "paths"),
    [
        ({"rate": 1e-46}, [("rate",)]),
        ({"rates": {"a": 1e39, "b": 1.0}}, [("rates", "a")]),
        ({"steps": [1.0, 1e-40]}, [("steps", 1)]),
        ({"limits": [1.0, 1e39]}, [("limits", 1)]),
        ({"seconds": 1e-46, "size": 2**40}, []),
    ],
)
def test_users_parts_have_their_floats_tested_too(table, paths):
    found = faults(("model",), {"kind": f"{OWN}:Scaled", **table})
    assert [fault.path[1:] for fault in found] == paths


def test_users_parts_may_say_what_they_derive():
    found = faults(("model",), {"kind": f"{OWN}:Product", "a": 1e-30, "b": 1e-30})
    assert [(f.path, f.message) for f in found] == [
        (("model", "a"), "with 1e-30, a * b is 0 as float32")
    ]


def test_a_users_sink_is_no_part_of_the_program():
    assert faults(("sinks", "own"), {"kind": f"{OWN}:Scaled", "rate": 1e-46}) == []


def test_xla_takes_a_subnormal_number_for_zero():
    one = jnp.ones(4)
    assert (jax.jit(lambda x: x * 1e-40 * 1e20)(one) == 0).all()
    assert (jax.jit(lambda x: x * 1.2e-38 * 1e20)(one) > 0).all()


@settings(max_examples=300, deadline=None)
@given(number=st.floats(allow_nan=False))
def test_rounding_is_numpys(number):
    with np.errstate(over="ignore"):
        assert struct.pack("d", float32.rounded(number)) == struct.pack("d", np.float32(number))
    if math.isfinite(float32.rounded(number)):
        assert float32.rounded(float(float32.shortest(number))) == float32.rounded(number)
