"""The payload's keys, as the contract has them."""

import pytest

from jaxpot.errors import UserError
from jaxpot.spec import from_resolved, payload_keys
from tests.spec.specs import FULL, SMALL, changed


def rows(data):
    return [
        f"{key.name}: {key.dtype} [{key.unit}] every {key.every} from {key.start} "
        f"until {key.until}{f' when {key.when}' if key.when else ''}, by {key.phase}"
        f"{', wall clock' if key.wall_clock else ''}: {key.doc}"
        for key in payload_keys(from_resolved(data))
    ]


def test_small(snapshot):
    assert rows(SMALL) == snapshot


def test_full_and_profiled(snapshot):
    assert rows(changed(FULL, ("runtime", "profile_every"), 100)) == snapshot


def test_names_are_unique():
    names = [key.name for key in payload_keys(from_resolved(FULL))]
    assert len(names) == len(set(names))


def test_no_name_of_an_evaluator_makes_a_key_of_another():
    """Names are chosen so that a prefix, a kind, a seat or a timer could be taken for a name."""
    tables = {
        "random": {"kind": "random", "every": 2, "num_games": 2},
        "archive": {"kind": "archive", "every": 2, "num_games": 2},
        "tree": {"kind": "game_tree", "every": 2},
        "rival": {"kind": "checkpoint", "every": 2, "num_games": 2, "run": "x"},
    }
    names = ("league", "archive", "target", "p0", "p", "p_", "eval", "eval_p", "total", "random")
    for kind in tables:
        named = dict.fromkeys(names, tables[kind]) | {"other": tables["archive"]}
        keys = payload_keys(from_resolved({**FULL, "checkpoint": {}, "expect": [], "eval": named}))
        found = [key.name for key in keys]
        assert len(found) == len(set(found))
        phases = {name: {key.phase for key in keys if key.name == name} for name in found}
        assert all(len(each) == 1 for each in phases.values())


def test_a_users_part_that_was_not_imported_has_no_known_keys():
    for section in (("algorithm",), ("eval", "x")):
        data = changed(SMALL, section, {"kind": "a.b:C", "every": 1})
        with pytest.raises(UserError, match=r"a\.b:C"):
            payload_keys(from_resolved(data))


def test_a_users_part_declares_its_own():
    data = changed(SMALL, ("eval", "x"), {"kind": "tests.spec.own_parts:Ladder", "every": 5})
    keys = {key.name: key for key in payload_keys(from_resolved(data, import_user_code=True))}
    assert keys["eval_x/elo"].every == 5
    assert keys["timings/eval_x"].every == 5
