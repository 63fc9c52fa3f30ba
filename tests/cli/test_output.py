import json
import math

from hypothesis import given
from hypothesis import strategies as st

from jaxpot.cli.output import finite, json_text, table

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(values)
def test_any_value_is_standard_json(value):
    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads(json_text(value), parse_constant=refuse) == finite(value)


def test_what_json_lacks_is_a_string():
    assert finite([math.nan, (math.inf,), {"a": -math.inf}]) == [
        "NaN",
        ["Infinity"],
        {"a": "-Infinity"},
    ]


def test_table():
    assert table(["name", "n"], [["a", "1"], ["bcdef", "100"]], right=(1,)) == (
        "name     n\na        1\nbcdef  100"
    )
