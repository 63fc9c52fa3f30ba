"""Which checkpoints stay: the last `keep_last`, the best `best.keep`, and every milestone."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from jaxpot.checkpoints import durable
from jaxpot.checkpoints.best import (
    BestEntry,
    is_best,
    ranked,
    read_manifest,
    scored,
    write_manifest,
)
from jaxpot.checkpoints.errors import DamagedCheckpoint
from jaxpot.checkpoints.layout import (
    PLACE_OF,
    PLACES,
    CheckpointInfo,
    Place,
    in_place,
    list_checkpoints,
    place_dir,
)
from jaxpot.checkpoints.metadata import Metadata
from jaxpot.checkpoints.verify import read_metadata
from jaxpot.spec import Best, Checkpoint

Deleted = Callable[[str, int, Path, Metadata | None, str | None], None]


def beyond_last(iterations: Sequence[int], keep_last: int, newest: int) -> list[int]:
    """Returns the iterations to delete once `newest` is saved: all below the last `keep_last`.

    What lies beyond `newest` is of another attempt, and counts for nothing here.
    """
    return sorted(iteration for iteration in iterations if iteration <= newest)[:-keep_last]


class Retention:
    """Deletes a run's checkpoints, and knows which are the best.

    A deletion takes the final name away, is told, and then removes the files: a crash leaves
    nothing half under a final name, and `settle` tells what it kept from being told.

    Args:
        run_dir: The run's directory.
        policy: How many are kept.
        deleted: Is told the type, iteration and path of what is gone, what its `metadata.json` said
            if that could be read, and why it is gone unless by the policy.
    """

    def __init__(
        self,
        run_dir: Path,
        policy: Checkpoint,
        deleted: Deleted,
    ) -> None:
        self._run_dir = run_dir
        self._policy = policy
        self._deleted = deleted
        self._best: tuple[BestEntry, ...] = ()

    def settle(self) -> None:
        """Finishes what a killed writer left, and takes what lies under `best/` for the truth."""
        for place in PLACES:
            directory = place_dir(self._run_dir, place)
            for path in sorted(directory.iterdir()) if directory.is_dir() else ():
                what, final = durable.set_aside(path) or ("", path)
                if what == "del" and final.name.isdecimal():
                    self._tell(path, place, final, None)
            durable.sweep(directory)
        if self._policy.best is not None:
            self._keep_best(self._found_best(), self._policy.best)

    def is_best(self, iteration: int, score: float | None) -> bool:
        """Says whether a score would be among the best; one that is not now will not be later."""
        best = self._policy.best
        if best is None or score is None:
            return False
        return is_best(BestEntry(iteration, score, best.metric), self._best, best)

    def add_best(self, iteration: int, score: float) -> None:
        """Enters a checkpoint that lies under `best/`, and deletes the one that it displaces."""
        if self._policy.best is not None:
            others = [entry for entry in self._best if entry.iteration != iteration]
            entry = BestEntry(iteration, score, self._policy.best.metric)
            self._keep_best([*others, entry], self._policy.best)

    def prune(self, newest: int) -> None:
        """Deletes the periodic, final and emergency checkpoints that `newest` makes too many."""
        infos = {info.iteration: info for info in in_place(self._run_dir, "checkpoints")}
        for iteration in beyond_last(tuple(infos), self._policy.keep_last, newest):
            self.delete(infos[iteration], None)

    def delete_after(self, iteration: int, reason: str) -> None:
        """Deletes every checkpoint beyond an iteration, milestones too."""
        for info in list_checkpoints(self._run_dir):
            if info.iteration > iteration:
                self.delete(info, reason)
        if self._policy.best is not None:
            remaining = [entry for entry in self._best if entry.iteration <= iteration]
            self._keep_best(remaining, self._policy.best)

    def delete(self, info: CheckpointInfo, reason: str | None) -> None:
        """Deletes one checkpoint and tells why, unless by the policy."""
        gone = durable.retire(info.path)
        self._tell(gone, info.place, info.path, reason)
        durable.discard(gone)

    def _found_best(self) -> list[BestEntry]:
        listed = read_manifest(place_dir(self._run_dir, "best"))
        found: list[BestEntry] = []
        for info in in_place(self._run_dir, "best"):
            entry = listed.get(info.iteration) or scored(info)
            if entry is None:
                self.delete(info, "nothing says what it scored")
            else:
                found.append(entry)
        return found

    def _keep_best(self, entries: Iterable[BestEntry], best: Best) -> None:
        """Makes the best of `entries` what lies under `best/`."""
        directory = place_dir(self._run_dir, "best")
        self._best = ranked(entries, best)[: best.keep]
        if directory.is_dir():
            write_manifest(directory, self._best, best)
        kept = {entry.iteration for entry in self._best}
        for info in in_place(self._run_dir, "best"):
            if info.iteration not in kept:
                self.delete(info, None)

    def _tell(self, gone: Path, place: Place, path: Path, reason: str | None) -> None:
        """Tells of a deletion, once for each type that the checkpoint was in its place."""
        metadata: Metadata | None = None
        try:
            metadata = read_metadata(gone)
        except DamagedCheckpoint:
            types = [kind for kind, where in PLACE_OF.items() if where == place][:1]
        else:
            types = [kind for kind in metadata.types if PLACE_OF[kind] == place]
        for kind in types:
            self._deleted(kind, int(path.name), path, metadata, reason)
