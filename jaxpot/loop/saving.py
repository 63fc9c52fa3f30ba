"""When a run saves: periodic, milestone, best, final and emergency checkpoints."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from jaxpot import journal
from jaxpot.checkpoints import CheckpointWriter, DamagedCheckpoint, verify
from jaxpot.checkpoints.layout import PLACE_OF, checkpoint_path
from jaxpot.loop.clock import Clock
from jaxpot.loop.graph import PhaseGraph
from jaxpot.loop.league import LeagueKeeper, listing
from jaxpot.loop.phase import Cadence, State
from jaxpot.loop.recorder import Recorder
from jaxpot.spec import Checkpoint, PayloadKey, best_cadence


def settle(
    unsettled: Sequence[journal.Checkpoint], folder: Path, recorder: Recorder, *, final: bool
) -> list[journal.Checkpoint]:
    """Record the end of saves that a killed process began.

    Args:
        unsettled: Their records.
        folder: The run's directory.
        recorder: Writes to the journal.
        final: Whether the checkpoint writer has finished what it could: a save that is not whole
            has then failed.

    Returns:
        The records of the saves that are not whole yet.
    """
    left: list[journal.Checkpoint] = []
    for row in unsettled:
        if row.type not in PLACE_OF:
            continue
        path = checkpoint_path(folder, PLACE_OF[row.type], row.iteration)
        ending = journal.as_dict(row)
        del ending["time"]
        try:
            metadata = verify(path)
        except DamagedCheckpoint as damage:
            if final:
                error = f"the process was killed while it was saved: {damage.fault}"
                recorder.saved({**ending, "state": "failed", "error": error})
            else:
                left.append(row)
            continue
        if not final:  # else the writer has recorded it
            sizes = {"bytes": metadata.bytes, "sha256": metadata.sha256}
            recorder.saved({**ending, "state": "committed", **sizes})
    return left


class Saver:
    """Decides after each iteration what to save, and hands it to the writer."""

    def __init__(
        self,
        policy: Checkpoint,
        graph: PhaseGraph,
        writer: CheckpointWriter,
        journal: journal.Journal,
        clock: Clock,
        *,
        metadata: Mapping[str, Any],
        saved_at: int | None,
    ) -> None:
        self._policy = policy
        self._writer = writer
        self._journal = journal
        self._clock = clock
        self._metadata = dict(metadata)
        self._ranked_by: PayloadKey | None = None
        self._cadences = {"periodic": policy.every, "milestone": policy.milestone_every}
        if policy.best is not None:
            ranked_by = next(key for key in graph.keys if key.name == policy.best.metric)
            self._cadences["best"] = best_cadence(policy, ranked_by)
            self._ranked_by = ranked_by
        self._saved_at = saved_at

    def fires(self, iteration: int) -> bool:
        """Return whether something may be saved after `iteration`."""
        return bool(self._due(iteration))

    def after(self, iteration: int, state: State, recorder: Recorder, league: LeagueKeeper) -> None:
        """Save what is due after `iteration`, whose payload is complete.

        Raises:
            AlteredEntryError: The league is not what was frozen; nothing is saved.
        """
        due = self._due(iteration)
        # "best" ranks by this payload's own value; without one there is nothing to rank.
        if self._ranked_by is not None and self._ranked_by.name not in recorder.newest:
            due -= {"best"}
        if due:
            self._save(frozenset(due), iteration + 1, state, recorder, league)

    def last(
        self, kind: str, done: int, state: State, recorder: Recorder, league: LeagueKeeper
    ) -> None:
        """Save the state that an attempt ends with, unless it is saved already, and waits.

        Raises:
            AlteredEntryError: The league is not what was frozen; nothing is saved.
        """
        if self._saved_at != done:
            self._save(frozenset({kind}), done, state, recorder, league)
        with self._clock.spending("wait"):
            self._writer.wait()
            self._journal.sync()

    def _due(self, iteration: int) -> set[str]:
        due = {
            kind
            for kind, every in self._cadences.items()
            if every is not None and Cadence(every=every).fires(iteration)
        }
        unranked = self._ranked_by is not None and not self._ranked_by.cadence.fires(iteration)
        return due - {"best"} if unranked else due

    def _save(
        self,
        types: frozenset[str],
        done: int,
        state: State,
        recorder: Recorder,
        league: LeagueKeeper,
    ) -> None:
        score = None
        if "best" in types and self._policy.best is not None:
            score = float(recorder.last[self._policy.best.metric])
        with self._clock.spending("save"):
            began = time.perf_counter()
            types = self._writer.accepted(types, done, score)
            if not types:
                return
            league.check(state)
            # Rows first: a run that resumes from the checkpoint needs every row before it.
            self._journal.sync()
            listed = listing(jax.device_get(state["league"])) if "league" in state else None
            self._writer.save(
                state,
                iteration=done,
                types=types,
                metadata={
                    **self._metadata,
                    "counters": dict(recorder.counters),
                    "digest": recorder.digest,
                },
                league=listed,
                score=score,
                waiting_since=began,
            )
        if types - {"best"}:
            self._saved_at = done
