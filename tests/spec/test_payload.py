"""The payload's keys, as the contract has them."""

import pytest

from jaxpot.errors import UserError
from jaxpot.spec import from_resolved, payload_keys
from tests.spec.specs import FULL, SMALL, changed


def rows(data):
    return [
        f"{key.name}: {key.dtype} [{key.unit}] every {key.every} from {key.start} "
        f"until {key.until}, by {key.phase}{', wall clock' if key.wall_clock else ''}: {key.doc}"
        for key in payload_keys(from_resolved(data))
    ]


def test_small(snapshot):
    assert rows(SMALL) == snapshot


def test_full_and_profiled(snapshot):
    assert rows(changed(FULL, ("runtime", "profile_every"), 100)) == snapshot


def test_names_are_unique():
    names = [key.name for key in payload_keys(from_resolved(FULL))]
    assert len(names) == len(set(names))


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
