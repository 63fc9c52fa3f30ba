"""The league on the host: add entries, record changes and standings, check for altered entries."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import jax
import numpy as np

from jaxpot.journal import Attempt, Event, records
from jaxpot.league import ARCHIVE, EMPTY, LEAGUE, NEW_SCORE
from jaxpot.loop.clock import Clock
from jaxpot.loop.digest import to_hex
from jaxpot.loop.lower import inputs_of
from jaxpot.loop.phase import Phase, State
from jaxpot.loop.programs import Programs
from jaxpot.loop.recorder import Recorder
from jaxpot.spec.payload import ARCHIVE_ACTIVE


class AlteredEntryError(Exception):
    """An entry's parameters are not those that were frozen."""


class LeagueKeeper:
    """Adds to, records and checks the league of one attempt; does nothing without a league.

    `recorded` are the events, as (event, entry), that an earlier attempt recorded of the add that a
    resumed run makes first. They are not recorded again.
    """

    def __init__(
        self,
        programs: Programs,
        recorder: Recorder,
        clock: Clock,
        *,
        state: State,
        recorded: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self._programs = programs
        self._recorder = recorder
        self._clock = clock
        self._recorded = recorded
        self._table: Any = _fetched(state["league"]) if "league" in state else None

    @property
    def conditions(self) -> frozenset[str]:
        """The conditions that hold (`Cadence.when`): whether an archived entry is active."""
        recalled = self._table is not None and any_recalled(self._table)
        return frozenset({ARCHIVE_ACTIVE}) if recalled else frozenset()

    def add(self, phase: Phase, iteration: int, state: State) -> State:
        """Add a copy of the agent after `iteration` by the program of `phase`; return the state."""
        with self._clock.spending("league"):
            before = _fetched(state["league"])
            if iteration + 1 in before.born[before.place != EMPTY]:
                # The state before a non-finite update, which is saved too, may hold the add.
                self._table = before
                return state
            given = inputs_of(phase, state)
            changing = {name: given.pop(name) for name in phase.writes if name in given}
            writes = self._programs.between(phase)(changing, given)
            state = state | {name: writes[name] for name in changing}
            frozen = jax.device_get(writes["frozen"])
            self._table = _fetched(state["league"])
        for name, payload in add_events(before, frozen, iteration + 1):
            if (name, payload["name"]) not in self._recorded:
                self._recorder.event(name, payload, iteration=iteration)
        self._recorder.show_standings(iteration, standings(entries(self._table)))
        return state

    def evaluated(self, iteration: int, table: Any) -> None:
        """Record the entries that an evaluation recalled or released; it returned `table`."""
        before, self._table = self._table, jax.tree.map(np.array, table)
        for name, payload in activity_events(before, table):
            self._recorder.event(name, payload, iteration=iteration)

    def log(self, iteration: int, state: State) -> None:
        self._table = _fetched(state["league"])
        self._recorder.standings(iteration, standings(entries(self._table)))

    def check(self, state: State) -> None:
        """Compare every entry's parameters with the digest that was taken when it was frozen.

        Raises:
            AlteredEntryError: They differ: a bug, or faulty memory.
        """
        if self._table is None:
            return
        found = jax.device_get(self._programs.pool_digests()(state["pool"]))
        for entry in entries(_fetched(state["league"])):
            if to_hex(found[entry.slot]) != entry.digest:
                raise AlteredEntryError(
                    f"league entry {entry.name} is not what was frozen: its digest was "
                    f"{entry.digest} and is {to_hex(found[entry.slot])}; resume from the newest "
                    "checkpoint, and report it if it comes again"
                )


def _fetched(table: Any) -> Any:
    """Copy a table to the host: a view of its buffers would keep them from being donated."""
    return jax.tree.map(np.array, jax.device_get(table))


def recorded_at(journal: Path, iteration: int) -> frozenset[tuple[str, str]]:
    """Return the live events of the league at `iteration` in a journal, as (event, entry)."""
    found: dict[tuple[str, str], int] = {}
    for row in records(journal, Attempt, Event):
        if isinstance(row, Attempt):
            start = row.start_iter
            found = {key: at for key, at in found.items() if at < start}
        elif row.name.startswith("league_") and row.iter is not None and row.payload is not None:
            found[row.name, row.payload["name"]] = row.iter
    return frozenset(key for key, at in found.items() if at == iteration)


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
