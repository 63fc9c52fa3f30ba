"""A fault's text is made in one place, of its parts."""

import pytest

from jaxpot.errors import UserError
from jaxpot.spec.faults import Fault, Origin, SpecError, dotted, nearest, quoted


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (
            Fault(
                "unknown-key",
                ("optimizer", "learning_rte"),
                "unknown key",
                "b1, b2 or learning_rate",
                "learning_rate",
                Origin("specs/ttt.toml", 14),
            ),
            "specs/ttt.toml:14: optimizer.learning_rte: unknown key; allowed: b1, b2 or "
            "learning_rate; did you mean 'learning_rate'? [unknown-key]",
        ),
        (
            Fault("out-of-range", ("seed",), "-1", origin=Origin(override="seed=-1")),
            "-s seed=-1: seed: -1 [out-of-range]",
        ),
        (Fault("x", (), "wrong", origin=Origin("a.toml")), "a.toml: wrong [x]"),
        (Fault("x", ("expect", 0, "a b"), "wrong"), 'expect.0."a b": wrong [x]'),
        (Fault("x", (), "wrong", origin=Origin("")), '"": wrong [x]'),
        (Fault("x", (), "wrong", origin=Origin("a\nb")), "a\\u000Ab: wrong [x]"),
    ],
)
def test_the_text(fault, text):
    assert str(fault) == text


def test_an_error_has_one_line_for_each_fault():
    error = SpecError([Fault("a", (), "one"), Fault("b", (), "two")])
    assert isinstance(error, UserError)
    assert str(error) == "one [a]\ntwo [b]"
    assert [fault.code for fault in error.faults] == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "text"),
    [((), ""), (("a", 0, "b-c"), "a.0.b-c"), (("",), '""'), (('q"\n\\',), r'"q\"\u000A\\"')],
)
def test_dotted(path, text):
    assert dotted(path) == text


def test_long_text_is_cut():
    assert len(quoted("x" * 1000)) == 62


def test_nearest():
    assert nearest("learning_rte", ["kind", "learning_rate"]) == "learning_rate"
    assert nearest("xyz", ["kind"]) == ""
