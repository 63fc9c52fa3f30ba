"""Delete checkpoints: by the spec's policy while a run trains, by rule in `jaxpot gc`.

The last `keep_last`, the best `best.keep` and every milestone stay. `gc` also spares the newest
whole checkpoint and everything after it: the run resumes from it.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from jaxpot.checkpoints import durable
from jaxpot.checkpoints.layout import (
    PLACE_OF,
    PLACES,
    CheckpointInfo,
    DamagedCheckpoint,
    Place,
    in_place,
    list_checkpoints,
    place_dir,
)
from jaxpot.checkpoints.metadata import Metadata
from jaxpot.checkpoints.read import read_metadata
from jaxpot.checkpoints.select import (
    BestEntry,
    is_best,
    newest_whole,
    ranked,
    read_manifest,
    scored,
    write_manifest,
)
from jaxpot.spec import Best, Checkpoint

Record = Callable[[dict[str, Any]], None]

FACTS = (
    "bytes",  # of all its files
    "digest",  # the state's, from the metadata given to `save`
    "sha256",  # of its metadata.json, which names the hash of every other file
    "score",  # that a best one is ranked by
    "seconds",  # since the background thread began to write it
    "blocking_seconds",  # that the training loop waited, for the save before too
    "error",  # why it failed, or why it was deleted if not by the policy
)

JournalStates = Mapping[tuple[Place, int], str]
"""The newest state that the journal has of each checkpoint."""


@attrs.frozen
class Records:
    """Write journal records of one run's checkpoints, with paths relative to `runs_dir`.

    `record` is called with each record, from any thread.
    """

    runs_dir: Path
    record: Record

    def relative(self, path: Path) -> str:
        """Return a path relative to the runs directory, with "/"."""
        return Path(os.path.relpath(path, self.runs_dir)).as_posix()

    def add(self, state: str, kind: str, iteration: int, path: Path, **facts: Any) -> None:
        """Record that a checkpoint is begun, committed, deleted or failed.

        Args:
            state: Which of the four.
            kind: Its type: periodic, milestone, best, emergency or final.
            iteration: Iterations done in it.
            path: Its directory.
            facts: Some of `FACTS`; the others are recorded as None.
        """
        if unknown := facts.keys() - set(FACTS):
            raise TypeError(f"checkpoint records have no {sorted(unknown)}")
        self.record(
            {
                "kind": "checkpoint",
                "iteration": iteration,
                "type": kind,
                "state": state,
                "path": self.relative(path),
                **dict.fromkeys(FACTS),
                **facts,
            }
        )


def facts_of(metadata: Metadata, kind: str) -> dict[str, Any]:
    """Return the facts to record of a checkpoint of type `kind`, from its metadata."""
    return {
        "bytes": metadata.bytes,
        "sha256": metadata.sha256,
        "digest": metadata.digest,
        "score": metadata.score if kind == "best" else None,
    }


def beyond_last(iterations: Sequence[int], keep_last: int, newest: int) -> list[int]:
    """Return the iterations to delete once `newest` is saved: all but the last `keep_last`.

    Iterations after `newest` are left over from another attempt; they neither count nor go.
    """
    return sorted(iteration for iteration in iterations if iteration <= newest)[:-keep_last]


class Retention:
    """Delete a run's checkpoints and keep track of the best ones.

    A deletion takes the final name away, is recorded, then removes the files. So a crash leaves
    nothing half-deleted under a final name, and `settle` records what it left unrecorded.
    """

    def __init__(self, run_dir: Path, policy: Checkpoint, records: Records) -> None:
        self._run_dir = run_dir
        self._policy = policy
        self._records = records
        self._best: tuple[BestEntry, ...] = ()

    def settle(self) -> None:
        """Finish what a killed writer left, and rank the checkpoints that are under `best/`."""
        for place in PLACES:
            directory = place_dir(self._run_dir, place)
            for aside in durable.asides(directory):
                if aside.purpose == "del" and aside.final.name.isdecimal():
                    self._record(aside.path, place, aside.final, None)
            durable.sweep(directory)
        if self._policy.best is None:
            return
        listed = read_manifest(place_dir(self._run_dir, "best"))[1]
        found: list[BestEntry] = []
        for info in in_place(self._run_dir, "best"):
            entry = scored(info, listed)
            if entry is None:
                self.delete(info, "its score is unknown")
            else:
                found.append(entry)
        self._keep_best(found, self._policy.best)

    def is_best(self, iteration: int, score: float | None) -> bool:
        """Return whether a score would be among the best; one that is not now never will be."""
        best = self._policy.best
        if best is None or score is None:
            return False
        return is_best(BestEntry(iteration, score, best.metric), self._best, best)

    def add_best(self, iteration: int, score: float) -> None:
        """Add a checkpoint that is under `best/`, and delete the one that it displaces."""
        if self._policy.best is not None:
            others = [entry for entry in self._best if entry.iteration != iteration]
            entry = BestEntry(iteration, score, self._policy.best.metric)
            self._keep_best([*others, entry], self._policy.best)

    def prune(self, newest: int) -> None:
        """Delete the periodic, final and emergency checkpoints that `newest` makes too many."""
        infos = {info.iteration: info for info in in_place(self._run_dir, "checkpoints")}
        for iteration in beyond_last(tuple(infos), self._policy.keep_last, newest):
            self.delete(infos[iteration], None)

    def delete_after(self, iteration: int, reason: str) -> None:
        """Delete every checkpoint after an iteration, milestones included."""
        for info in list_checkpoints(self._run_dir):
            if info.iteration > iteration:
                self.delete(info, reason)
        if self._policy.best is not None:
            remaining = [entry for entry in self._best if entry.iteration <= iteration]
            self._keep_best(remaining, self._policy.best)

    def delete(self, info: CheckpointInfo, reason: str | None) -> None:
        """Delete one checkpoint and record why; None where the policy is the reason."""
        gone = durable.retire(info.path)
        self._record(gone, info.place, info.path, reason)
        durable.discard(gone)

    def _keep_best(self, entries: Iterable[BestEntry], best: Best) -> None:
        """Reduce `best/` to the best of `entries`."""
        directory = place_dir(self._run_dir, "best")
        self._best = ranked(entries, best)[: best.keep]
        if directory.is_dir():
            write_manifest(directory, self._best, best)
        kept = {entry.iteration for entry in self._best}
        for info in in_place(self._run_dir, "best"):
            if info.iteration not in kept:
                self.delete(info, None)

    def _record(self, gone: Path, place: Place, path: Path, reason: str | None) -> None:
        """Record a deletion, once for each of the checkpoint's types in that place."""
        types = [kind for kind, where in PLACE_OF.items() if where == place]
        try:
            metadata = read_metadata(gone)
            types = [kind for kind in metadata.types if kind in types]
        except DamagedCheckpoint:
            metadata, types = None, types[:1]
        for kind in types:
            facts = facts_of(metadata, kind) if metadata is not None else {}
            self._records.add("deleted", kind, int(path.name), path, error=reason, **facts)


@attrs.frozen(kw_only=True)
class Rule:
    """Which periodic, final and emergency checkpoints `gc` calls old; by default none.

    Attributes:
        keep_last: All but the newest so many, by iteration.
        created_before: Those written before that time, in Unix seconds. If both are given, both
            must hold.
    """

    keep_last: int | None = None
    created_before: float | None = None


@attrs.frozen
class Collectable:
    """A checkpoint that is safe to delete, and why."""

    info: CheckpointInfo
    reason: str


def left_behind(run_dir: Path) -> list[Path]:
    """List what a killed writer left under temporary names, for the next writer to clean up."""
    return [
        aside.path
        for place in PLACES
        for aside in durable.asides(place_dir(run_dir, place))
        if not aside.is_the_original
    ]


def collectable(
    run_dir: Path,
    rule: Rule,
    states: JournalStates,
    *,
    limit: int | None = None,
    needed: Collection[Path] = (),
) -> list[Collectable]:
    """List a run's checkpoints that are safe to delete, by path.

    Args:
        run_dir: The run's directory.
        rule: Which are old.
        states: What the journal says of each; one that it calls deleted should not be there.
        limit: The newest iteration that is not superseded by a later attempt; None for no limit.
        needed: Checkpoints that other runs need.
    """
    found = [*_deleted(run_dir, states), *_unlisted_best(run_dir), *_old(run_dir, rule)]
    newest = newest_whole(run_dir, limit=limit)[0] if found else None
    if newest is None:
        return []
    spared = {path.resolve() for path in needed}
    # Where several reasons apply to one checkpoint, the first one stays.
    once = {item.info.path: item for item in reversed(found)}
    return [
        once[path]
        for path in sorted(once)
        if once[path].info.iteration < newest.iteration and path.resolve() not in spared
    ]


def _deleted(run_dir: Path, states: JournalStates) -> list[Collectable]:
    return [
        Collectable(info, "the journal says that it was deleted")
        for info in list_checkpoints(run_dir)
        if states.get((info.place, info.iteration)) == "deleted"
    ]


def _unlisted_best(run_dir: Path) -> list[Collectable]:
    """List those under `best/` that are not among the best, ranked as the run's writer would."""
    policy, listed = read_manifest(place_dir(run_dir, "best"))
    if policy is None:
        return []
    infos = in_place(run_dir, "best")
    entries = [entry for info in infos if (entry := scored(info, listed)) is not None]
    kept = {entry.iteration for entry in ranked(entries, policy)[: policy.keep]}
    reason = "it is not among the best, which best/manifest.json lists"
    return [Collectable(info, reason) for info in infos if info.iteration not in kept | set(listed)]


def _old(run_dir: Path, rule: Rule) -> list[Collectable]:
    if rule.keep_last is None and rule.created_before is None:
        return []
    infos = in_place(run_dir, "checkpoints")
    beyond = infos[: -rule.keep_last] if rule.keep_last is not None else infos
    return [
        Collectable(info, "it is old")
        for info in beyond
        if rule.created_before is None or _created(info) < rule.created_before
    ]


def _created(info: CheckpointInfo) -> float:
    try:
        return read_metadata(info.path).created
    except DamagedCheckpoint:
        return info.path.stat().st_mtime
