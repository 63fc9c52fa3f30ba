import pytest

from jaxpot.errors import UserError
from jaxpot.views.comparison import chosen_keys, default_keys, sense_of

KEYS = [
    "iter",
    "iteration/sps",
    "total_loss",
    "value_loss",
    "grad_norm",
    "eval_vs_random/win_rate",
    "eval_vs_random/draw_rate",
    "eval_vs_random/p0/win_rate",
    "eval_tree/lost",
]


@pytest.mark.parametrize(
    ("key", "sense"),
    [
        ("eval_vs_random/win_rate", "up"),
        ("eval_vs_random/p1/lose_rate", "down"),
        ("value_loss", "down"),
        ("eval_tree/lost", "down"),
        ("iteration/sps", "up"),
        ("grad_norm", None),
        ("eval_vs_random/draw_rate", None),
    ],
)
def test_which_way_a_key_is_better(key, sense):
    assert sense_of(key) == sense


def test_what_is_compared_by_default():
    wanted = ["eval_vs_random/win_rate", "eval_tree/lost", "total_loss", "value_loss"]
    assert default_keys(KEYS) == [*wanted, "iteration/sps"]


def test_names_and_globs_choose_keys_once_each_in_their_order():
    found = chosen_keys(["value_loss", "*_loss", "eval_*/win_rate"], KEYS)
    wanted = ["value_loss", "total_loss", "eval_vs_random/win_rate"]
    assert found == [*wanted, "eval_vs_random/p0/win_rate"]


def test_a_key_with_brackets_is_found_by_its_name():
    assert chosen_keys(["a[0]"], ["a[0]", "a0"]) == ["a[0]"]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("total_los", "no key 'total_los'; did you mean 'total_loss'"),
        ("*/elo", "no key '*/elo'; there are iter, iteration/sps, total_loss"),
        ("tree", "no key 'tree'; did you mean 'eval_tree/lost'?"),
    ],
)
def test_an_unknown_key_names_the_nearest(pattern, text):
    with pytest.raises(UserError) as caught:
        chosen_keys([pattern], KEYS)
    assert str(caught.value).startswith(text)


def test_without_any_key_that_is_said():
    with pytest.raises(UserError, match="nothing is recorded yet"):
        chosen_keys(["total_loss"], [])


def test_keys_of_another_program_are_all_shown():
    assert default_keys(["loss/total", "acc"]) == ["loss/total", "acc"]
