"""The league on the host: entries by name, as standings and as what changed."""

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

from jaxpot.league import ARCHIVE, EMPTY, LEAGUE, NEW_SCORE
from jaxpot.loop.digest import to_hex

_PLACES = {LEAGUE: "league", ARCHIVE: "archive"}


@attrs.frozen(kw_only=True)
class Entry:
    """One frozen opponent.

    Attributes:
        slot: Its place in the pool.
        name: `iter_` and the iterations done when it was frozen.
        place: `"league"` or `"archive"`.
        active: Whether it is played: in the league always, in the archive once it is forgotten.
        score: Moving average of the agent's mean reward against it.
        rollouts: Games finished against it.
        digest: Of its parameters, 16 hex digits.
    """

    slot: int
    name: str
    place: str
    active: bool
    score: float
    rollouts: int
    digest: str


def entry_name(born: int) -> str:
    """Return the name of the entry that was frozen after `born` iterations."""
    return f"iter_{born:06d}"


def entries(table: Any) -> tuple[Entry, ...]:
    """Read a `Table` of numpy arrays: its entries, the oldest first."""
    taken = [slot for slot in range(len(table.place)) if table.place[slot] != EMPTY]
    return tuple(
        Entry(
            slot=slot,
            name=entry_name(int(table.born[slot])),
            place=_PLACES[int(table.place[slot])],
            active=bool(table.active[slot]) or _PLACES[int(table.place[slot])] == "league",
            score=float(table.score[slot]),
            rollouts=int(table.rollouts[slot]),
            digest=to_hex(table.digest[slot]),
        )
        for slot in sorted(taken, key=lambda slot: int(table.born[slot]))
    )


def standings(of: tuple[Entry, ...]) -> list[dict[str, Any]]:
    """Return the entries as plain data, the strongest opponent first."""
    fields = ("name", "place", "score", "rollouts", "active")
    ranked = sorted(of, key=lambda entry: entry.score)
    return [{name: getattr(entry, name) for name in fields} for entry in ranked]


def listing(table: Any) -> list[dict[str, Any]]:
    """Return every entry of a `Table` of numpy arrays as plain data, by slot."""
    return [attrs.asdict(entry) for entry in sorted(entries(table), key=lambda entry: entry.slot)]


def add_events(before: Any, frozen: Any, born: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what an add did, as events: their names and payloads, in order.

    Args:
        before: The `Table` before the add, of numpy arrays.
        frozen: The `Frozen` that it gave, of numpy arrays.
        born: Iterations done.
    """
    new = Entry(
        slot=len(before.place),
        name=entry_name(born),
        place="league",
        active=True,
        score=float(np.float32(NEW_SCORE)),
        rollouts=0,
        digest=to_hex(frozen.digest),
    )
    candidates = {entry.slot: entry for entry in (*entries(before), new)}
    yield "league_add", payload(new)
    for name, slot in (("league_archive", frozen.archived), ("league_drop", frozen.dropped)):
        if slot >= 0:
            yield name, payload(candidates[int(slot)])


def activity_events(before: Any, after: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield who was recalled and who was released by an evaluation of the archive, as events."""
    was_active = {entry.name: entry.active for entry in entries(before)}
    for entry in entries(after):
        if entry.active != was_active[entry.name]:
            yield ("league_recall" if entry.active else "league_release"), payload(entry)


def payload(entry: Entry) -> dict[str, Any]:
    """Return what an event says of an entry."""
    return {name: getattr(entry, name) for name in ("name", "score", "rollouts", "digest")}


def any_recalled(table: Any) -> bool:
    """Return whether an archived entry is active, of a `Table` of numpy arrays."""
    return bool(((table.place == ARCHIVE) & table.active).any())
