"""Frozen tables: equal to what they came from, and unchangeable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxpot.spec.configs.parts import FrozenMap, freeze, thaw

PLAIN = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), PLAIN, max_size=4))
def test_thawing_gives_back_what_was_frozen(data):
    assert thaw(freeze(data)) == data
    assert hash(freeze(data)) == hash(freeze(dict(reversed(data.items()))))


def test_a_frozen_map_cannot_be_changed():
    source = {"a": 1}
    frozen = FrozenMap(source)
    source["a"] = 2
    assert frozen == {"a": 1}
    assert repr(frozen) == "{'a': 1}"
    with pytest.raises(TypeError):
        frozen["a"] = 3
    with pytest.raises(AttributeError):
        frozen.b = 1
