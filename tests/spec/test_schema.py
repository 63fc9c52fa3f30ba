"""The JSON Schema takes what the classes take, and the file in `specs/` is the schema."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from jaxpot.spec import from_resolved, json_schema, resolved
from jaxpot.spec.structure import structure
from tests.spec.specs import FULL, SMALL, changed, experiments, leaves

FILE = Path(__file__).parents[2] / "specs" / "experiment.schema.json"
VALIDATOR = Draft4Validator(json_schema())
FIELD_CODES = {
    "bad-import-path",
    "bad-name",
    "duplicate-item",
    "missing-key",
    "missing-kind",
    "not-divisible",
    "out-of-range",
    "unknown-choice",
    "unknown-game",
    "unknown-key",
    "unknown-kind",
    "unsupported-players",
    "wrong-type",
}
VALUES = st.one_of(
    st.booleans(),
    st.integers(-3, 2**33),
    st.floats(-3, 3),
    st.sampled_from(["false", "none", "", "tic_tac_toe", "mlp", {}, [], ["a", "a"], [0], "a.b:C"]),
    st.just({"kind": "mlp", "every": 1}),
)


def test_the_shipped_file_is_the_schema():
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    assert FILE.read_text(encoding="utf-8") == text


def test_it_is_a_draft_4_schema():
    Draft4Validator.check_schema(json_schema())


@settings(max_examples=60, deadline=None)
@given(data=experiments())
def test_valid_specs_are_valid(data):
    assert VALIDATOR.is_valid(data)
    assert VALIDATOR.is_valid(resolved(from_resolved(data)))


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from([path for path, _ in leaves(FULL)]), value=VALUES)
def test_it_agrees_with_the_classes(path, value):
    data = changed(FULL, path, value)
    _, faults, _ = structure(data, import_user_code=False)
    # Where a gate looks is a rule across fields, which the schema leaves to `check`.
    single = [fault for fault in faults if fault.code in FIELD_CODES]
    assert VALIDATOR.is_valid(data) == (not single), single


@settings(max_examples=60, deadline=None)
@given(data=experiments(), pick=st.randoms(use_true_random=False))
def test_it_refuses_unknown_keys(data, pick):
    tables = [path[:-1] for path, _ in leaves(data) if isinstance(path[-1], str)]
    assert not VALIDATOR.is_valid(changed(data, (*pick.choice(tables), "Unheard of"), 1))


@pytest.mark.parametrize("key", SMALL)
def test_it_asks_for_what_is_required(key):
    rest = {name: value for name, value in SMALL.items() if name != key}
    assert not VALIDATOR.is_valid(rest)
    assert VALIDATOR.is_valid({**rest, "extends": "base.toml"})


def test_it_asks_for_what_a_table_requires():
    for path in (("env",), ("collect",), ("collect", "selfplay"), ("eval", "x"), ("optimizer",)):
        assert not VALIDATOR.is_valid(changed(SMALL, path, {}))
        assert VALIDATOR.is_valid({**changed(SMALL, path, {}), "extends": ["a.toml", "b.toml"]})
