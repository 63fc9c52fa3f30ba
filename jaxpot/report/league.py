"""Who was in the league when: a bar for each stay, in the league, its archive, or recalled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import duckdb

_EVENTS = """
SELECT iter, event, name FROM league WHERE uid = $1 AND name IS NOT NULL
ORDER BY iter, list_position(['drop', 'release', 'add', 'archive', 'recall'], event), name
"""
_PLACES = ("league", "archive", "recalled")
_COLOURS = ("#0072B2", "#56B4E9", "#D55E00")
_ENTERS = {"add": "league", "archive": "archive", "recall": "recalled", "release": "archive"}
_MOST_ENTRIES = 60


class Stay(NamedTuple):
    """An entry's time in one place, in iterations."""

    name: str
    place: str
    start: int
    end: int


def stays(events: Iterable[tuple[int, str, str]], end: int) -> list[Stay]:
    """Turn a league's changes into stays.

    Args:
        events: Iteration, kind (add, archive, drop, recall, release) and entry, in order.
        end: Iterations in all: where the stays end that no change ended.
    """
    now: dict[str, tuple[str, int]] = {}
    found: list[Stay] = []
    for iteration, event, name in events:
        place, start = now.pop(name, ("", iteration))
        if place and iteration > start:
            found.append(Stay(name, place, start, iteration))
        if event in _ENTERS:
            now[name] = (_ENTERS[event], iteration)
    found += [Stay(name, place, start, end) for name, (place, start) in now.items() if end > start]
    return sorted(found, key=lambda stay: (stay.name, stay.start))


def lineage(connection: duckdb.DuckDBPyConnection, uid: str, end: int) -> list[Stay]:
    """Give every stay in a run's league."""
    return stays(connection.execute(_EVENTS, [uid]).fetchall(), end)


def lineage_chart(found: list[Stay]) -> tuple[dict[str, Any], int]:
    """Give the chart of a league over time, and how many of its oldest entries it leaves out."""
    names = sorted({stay.name for stay in found})
    shown = names[-_MOST_ENTRIES:]
    values = [stay._asdict() for stay in found if stay.name in set(shown)]
    told = [{"field": name} for name in ("name", "place", "start", "end")]
    colour = {"domain": list(_PLACES), "range": list(_COLOURS)}
    spec: dict[str, Any] = {
        "data": {"values": values},
        "mark": {"type": "bar", "height": 7, "cornerRadius": 1},
        "encoding": {
            "y": {
                "field": "name",
                "type": "nominal",
                "sort": shown,
                "title": None,
                "axis": {"labelLimit": 110, "grid": False, "ticks": False},
            },
            "x": {"field": "start", "type": "quantitative", "title": "iteration"},
            "x2": {"field": "end"},
            "color": {
                "field": "place",
                "type": "nominal",
                "scale": colour,
                "legend": {"title": None, "orient": "top", "symbolType": "square"},
            },
            "tooltip": told,
        },
    }
    return spec, len(names) - len(shown)
