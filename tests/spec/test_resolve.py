"""The resolved form is a spec: canonical, complete, and the same in TOML and JSON."""

import json

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.spec import SpecError, diff, from_resolved, resolved, to_json, to_toml
from tests.spec.specs import FULL, SMALL, at, changed, experiments, leaves

FOREIGN_TABLES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(data=experiments())
def test_round_trips(data):
    experiment = from_resolved(data)
    form = resolved(experiment)
    assert from_resolved(form) == experiment
    assert resolved(from_resolved(form)) == form
    assert tomli.loads(to_toml(form)) == form
    assert json.loads(to_json(form)) == form
    assert hash(from_resolved(json.loads(to_json(form)))) == hash(experiment)


@settings(max_examples=100, deadline=None)
@given(table=st.dictionaries(st.text(max_size=4).filter(lambda k: k != "kind"), FOREIGN_TABLES))
def test_a_users_table_round_trips(table):
    experiment = from_resolved({**SMALL, "model": {"kind": "a:B", **table}})
    form = resolved(experiment)
    assert form["model"] == {"kind": "a:B", **table}
    assert tomli.loads(to_toml(form)) == form
    assert from_resolved(json.loads(to_json(form))) == experiment


def test_every_default_is_filled_in(snapshot):
    assert to_toml(resolved(from_resolved(SMALL))) == snapshot


def test_full_as_toml(snapshot):
    assert to_toml(resolved(from_resolved(FULL))) == snapshot


def test_the_writing_of_a_spec_does_not_matter():
    form = resolved(from_resolved(SMALL))
    backwards = dict(reversed(SMALL.items()))
    assert list(resolved(from_resolved(backwards))) == list(form)
    assert to_json(resolved(from_resolved(changed(SMALL, ("algorithm", "gamma"), 1)))) == to_json(
        resolved(from_resolved(changed(SMALL, ("algorithm", "gamma"), 1.0)))
    )


def test_from_resolved_is_strict():
    with pytest.raises(SpecError, match=r"seed: 1\.0 is a float"):
        from_resolved({**SMALL, "seed": 1.0})


@settings(max_examples=50, deadline=None)
@given(data=experiments(), pick=st.randoms(use_true_random=False))
def test_diff_finds_the_one_change(data, pick):
    form = resolved(from_resolved(data))
    path, value = pick.choice([*leaves(form)])
    other = changed(form, path, "changed")
    assert diff(form, form) == []
    (found,) = diff(form, other)
    assert found[1:] == (value, "changed")
    assert at(other, path) == "changed"


def test_diff_names_what_is_in_one_only():
    a = resolved(from_resolved(SMALL))
    b = resolved(from_resolved(FULL))
    paths = {path: (x, y) for path, x, y in diff(a, b)}
    assert paths["collect.random.until"] == (None, 50)
    assert paths["collect.random"] == ("none", None)
    assert paths["seed"] == (0, 7)
    assert paths["expect.0.metric"] == (None, "eval_vs_random/win_rate")
    assert diff({"a": 1}, {"a": 1.0}) == [("a", 1, 1.0)]
