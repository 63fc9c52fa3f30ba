"""The league as the host sees it: when it grows, what changed, and whether it is what it was."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxpot.league import EMPTY
from jaxpot.loop.clock import Clock
from jaxpot.loop.digest import to_hex
from jaxpot.loop.entries import activity_events, add_events, any_recalled, entries, standings
from jaxpot.loop.lower import inputs_of
from jaxpot.loop.phase import Phase, State
from jaxpot.loop.programs import Programs
from jaxpot.loop.recorder import Recorder
from jaxpot.spec.windows import ARCHIVE_ACTIVE
from jaxpot.store.history import records


class AlteredEntryError(Exception):
    """An entry's parameters are not those that were frozen."""


class LeagueKeeper:
    """Freezes, records and checks the league of one attempt; idle where there is none.

    Args:
        programs: Its programs.
        recorder: Where standings and events go.
        clock: What the league's seconds are charged to.
        state: The state that the attempt starts with.
        recorded: Events that an earlier attempt has recorded of the add that a resumed run makes
            first, as (event, entry): they are not recorded again.
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
        """What holds of the league: whether an archived entry is active."""
        recalled = self._table is not None and any_recalled(self._table)
        return frozenset({ARCHIVE_ACTIVE}) if recalled else frozenset()

    def add(self, phase: Phase, iteration: int, state: State) -> State:
        """Add a copy of the agent after `iteration` by the program of `phase`.

        Returns:
            The state with it.
        """
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
        """Records who was recalled or released by an evaluation, which left `table`."""
        before, self._table = self._table, jax.tree.map(np.array, table)
        for name, payload in activity_events(before, table):
            self._recorder.event(name, payload, iteration=iteration)

    def log(self, iteration: int, state: State) -> None:
        """Record the standings after `iteration`."""
        self._table = _fetched(state["league"])
        self._recorder.standings(iteration, standings(entries(self._table)))

    def check(self, state: State) -> None:
        """Holds every entry's parameters to the digest that was taken when it was frozen.

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
    """Copies a table to the host: a view of its buffers would keep them from being donated."""
    return jax.tree.map(np.array, jax.device_get(table))


def recorded_at(journal: Path, iteration: int) -> frozenset[tuple[str, str]]:
    """Returns the live events of the league at `iteration` in a journal, as (event, entry)."""
    found: dict[tuple[str, str], int] = {}
    for row in records(journal, kinds=("attempt", "event")):
        if row["kind"] == "attempt":
            start = row["start_iter"]
            found = {key: at for key, at in found.items() if at < start}
        elif row["name"].startswith("league_") and row.get("iter") is not None:
            payload: Mapping[str, Any] = row["payload"]
            found[row["name"], payload["name"]] = row["iter"]
    return frozenset(key for key, at in found.items() if at == iteration)
