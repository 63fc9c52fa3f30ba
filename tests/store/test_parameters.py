"""What is written for parameters."""

from datetime import date

import pytest

from jaxpot.errors import UserError
from jaxpot.store import Store
from jaxpot.store.canned import parse_parameters, read_value, resolve_runs
from tests.store.journals import START, complete_run

FIRST, SECOND = "20261122-101530-aaaaaa", "20261122-111530-bbbbbb"


def test_assignments():
    assert parse_parameters(["a=1", "$b=x=y", "a=2", "c="]) == {"a": "2", "b": "x=y", "c": ""}
    for wrong in ("a", "=1", "a b=1", ""):
        with pytest.raises(UserError, match="NAME=VALUE"):
            parse_parameters([wrong])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-1.5e3", -1500.0),
        ("true", True),
        ("null", None),
        ('"null"', "null"),
        ("'3'", "3"),
        ("2026-11-22", date(2026, 11, 22)),
        ("[1, 2]", [1, 2]),
        ("total_loss", "total_loss"),
        ("eval_vs_random/win_rate", "eval_vs_random/win_rate"),
        ("", ""),
        ("{a = 1}", "{a = 1}"),
        ("[[1]]", "[[1]]"),
        ("1\nother = 2", "1\nother = 2"),
        ("run:20261122", "run:20261122"),
    ],
)
def test_values(text, value):
    found = read_value("x", text)
    assert (found, type(found)) == (value, type(value))


def test_a_run_is_a_word_whatever_it_looks_like():
    assert read_value("run", "20261122") == "20261122"
    assert read_value("runs", "1,2") == "1,2"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns a store of two runs of one name."""
    runs_dir = tmp_path_factory.mktemp("parameters") / "runs"
    complete_run(runs_dir, FIRST)
    complete_run(runs_dir, SECOND, start=START + 3600)
    return Store(runs_dir)


def test_words_for_runs(store):
    given = {
        "run": "latest",
        "a": "run:20261122-10",
        "runs": f"ttt, {FIRST}",
        "b": "runs:latest",
        "c": "latest",
        "d": 3,
        "e": None,
    }
    with store.reading() as connection:
        assert resolve_runs(given, connection) == {
            "run": SECOND,
            "a": FIRST,
            "runs": [SECOND, FIRST],
            "b": [SECOND],
            "c": "latest",
            "d": 3,
            "e": None,
        }
        assert resolve_runs({"runs": ["ttt"], "run": None}, connection) == {
            "runs": [SECOND, FIRST],
            "run": None,
        }


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("nope", f"called 'nope', or tagged so; the newest are {SECOND}"),
        ("2026", "start of 2 runs"),
    ],
)
def test_words_for_none(store, word, text):
    with store.reading() as connection, pytest.raises(UserError, match=text):
        resolve_runs({"run": word}, connection)


def test_words_where_there_is_no_run(tmp_path):
    with Store(tmp_path).reading() as connection, pytest.raises(UserError, match="no run yet"):
        resolve_runs({"run": "latest"}, connection)
