"""The league as the host tells it: names, standings, and what an add or an evaluation changed."""

import json

import numpy as np
import pytest

from jaxpot.league import ARCHIVE, LEAGUE, Frozen, Table
from jaxpot.loop.digest import to_hex
from jaxpot.loop.league import (
    activity_events,
    add_events,
    any_recalled,
    entries,
    entry_name,
    listing,
    standings,
)


def table_of(*rows):
    """Makes a table of numpy arrays of (place, active, score, rollouts, born) by slot."""
    place, active, score, rollouts, born = zip(*rows, strict=True)
    return Table(
        place=np.array(place, np.int32),
        active=np.array(active, np.bool_),
        score=np.array(score, np.float32),
        rollouts=np.array(rollouts, np.uint32),
        born=np.array(born, np.int32),
        digest=np.array([[n, 0xABC] for n in born], np.uint32),
    )


TABLE = table_of(
    (LEAGUE, False, 0.25, 9, 500),
    (0, False, 0, 0, 0),
    (ARCHIVE, True, -0.5, 3, 20),
    (ARCHIVE, False, 0.25, 2**32 - 1, 1),
    (LEAGUE, False, -0.75, 0, 1_234_567),
)


def test_entries_are_read_oldest_first():
    assert [(e.slot, e.name, e.place, e.active) for e in entries(TABLE)] == [
        (3, "iter_000001", "archive", False),
        (2, "iter_000020", "archive", True),
        (0, "iter_000500", "league", True),
        (4, "iter_1234567", "league", True),
    ]
    assert [e.rollouts for e in entries(TABLE)] == [2**32 - 1, 3, 9, 0]
    assert entries(TABLE)[1].digest == to_hex(TABLE.digest[2]) == "0000001400000abc"


def test_a_name_is_the_iterations_done():
    assert entry_name(500) == "iter_000500"


def test_standings_begin_with_the_strongest_and_of_equal_ones_the_older():
    ranked = standings(entries(TABLE))
    assert [x["name"] for x in ranked] == [
        "iter_1234567",
        "iter_000020",
        "iter_000001",
        "iter_000500",
    ]
    assert ranked[1] == {
        "name": "iter_000020",
        "place": "archive",
        "score": -0.5,
        "rollouts": 3,
        "active": True,
    }
    assert json.loads(json.dumps(ranked)) == ranked


def test_a_listing_is_plain_data_by_slot():
    rows = listing(TABLE)
    assert [row["slot"] for row in rows] == [0, 2, 3, 4]
    assert json.loads(json.dumps(rows)) == rows
    assert rows[0] == {
        "slot": 0,
        "name": "iter_000500",
        "place": "league",
        "active": True,
        "score": 0.25,
        "rollouts": 9,
        "digest": "000001f400000abc",
    }


def frozen(archived, dropped):
    return Frozen(np.array([1, 2], np.uint32), np.int32(archived), np.int32(dropped))


NEW = {
    "name": "iter_2000000",
    "score": float(np.float32(-0.05)),
    "rollouts": 0,
    "digest": "0000000100000002",
}


@pytest.mark.parametrize(
    ("archived", "dropped", "reported"),
    [
        (-1, -1, []),
        (0, -1, [("league_archive", "iter_000500")]),
        (0, 3, [("league_archive", "iter_000500"), ("league_drop", "iter_000001")]),
        (4, 4, [("league_archive", "iter_1234567"), ("league_drop", "iter_1234567")]),
        (5, 5, [("league_archive", "iter_2000000"), ("league_drop", "iter_2000000")]),
    ],
)
def test_an_add_is_told_by_name(archived, dropped, reported):
    first, *rest = add_events(TABLE, frozen(archived, dropped), 2_000_000)
    assert first == ("league_add", NEW)
    assert [(event, payload["name"]) for event, payload in rest] == reported
    known = {e.name: e for e in entries(TABLE)}
    for _, payload in rest:
        assert set(payload) == {"name", "score", "rollouts", "digest"}
        if (entry := known.get(payload["name"])) is not None:
            assert payload["score"] == entry.score
            assert payload["rollouts"] == entry.rollouts
            assert payload["digest"] == entry.digest
        else:
            assert payload == NEW


def test_an_evaluation_tells_who_was_recalled_and_released():
    after = TABLE._replace(
        active=np.array([False, False, False, True, False]),
        score=np.array([0.25, 0, 0.5, -0.25, -0.75], np.float32),
        rollouts=np.array([9, 0, 13, 10, 0], np.uint32),
    )
    reported = dict(activity_events(TABLE, after))
    assert reported == {
        "league_recall": {
            "name": "iter_000001",
            "score": -0.25,
            "rollouts": 10,
            "digest": "0000000100000abc",
        },
        "league_release": {
            "name": "iter_000020",
            "score": 0.5,
            "rollouts": 13,
            "digest": "0000001400000abc",
        },
    }
    assert list(activity_events(after, after)) == []


def test_only_an_active_archived_entry_is_recalled():
    assert any_recalled(TABLE)
    assert not any_recalled(TABLE._replace(active=np.zeros(5, np.bool_)))
    assert not any_recalled(TABLE._replace(active=np.array([True, True, False, False, True])))
