import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxpot.views.progress import Standings
from jaxpot.views.sections import league_lines
from tests.trackers.stream import standings


@pytest.mark.parametrize(
    ("count", "room", "names", "last"),
    [
        (3, 10, 3, "league"),
        (8, 10, 8, "league"),
        (9, 10, 8, "and 1 more"),
        (9, 40, 8, "and 1 more"),
        (8, 9, 8, "league"),
        (8, 8, 6, "and 2 more"),
        (8, 4, 2, "and 6 more"),
        (8, 3, 2, "league"),
        (8, 2, 1, "league"),
        (8, 1, 0, "at 7"),
    ],
)
def test_what_is_left_out_is_counted(count, room, names, last):
    entry = {"place": "league", "score": 0.5, "rollouts": 7, "active": True}
    entries = [{**entry, "name": f"iter_{born:06d}"} for born in range(count)]
    lines = [line.plain for line in league_lines(Standings(7, entries), room)]
    assert sum(line.startswith("iter_") for line in lines) == names
    assert lines[-1].endswith(last)


@given(st.integers(0, 20), st.integers(1, 20))
def test_it_fits_the_room(count, room):
    lines = league_lines(Standings(0, standings(25 * count)), room)
    assert 1 <= len(lines) <= min(room, 10)
    shown = [line.plain.split()[0] for line in lines[1:] if line.plain.startswith("iter_")]
    assert shown == [entry["name"] for entry in standings(25 * count)][: len(shown)]


def test_active_entries_of_the_archive_are_marked():
    lines = league_lines(Standings(225, standings(225)), 20)
    marked = [line.plain.split()[0] for line in lines if line.plain.endswith("archive, active")]
    assert marked == []
    lines = league_lines(Standings(200, standings(200)), 20)
    marked = [line.plain.split()[0] for line in lines if line.plain.endswith("archive, active")]
    assert marked == ["iter_000025"]
