"""The checkpoint writer: saves in one background thread, in order, and prunes by the policy."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs

from jaxpot.checkpoints.arrays import HostState, copy_to_host
from jaxpot.checkpoints.commit import link_checkpoint, write_checkpoint
from jaxpot.checkpoints.errors import CheckpointError, DamagedCheckpoint
from jaxpot.checkpoints.layout import PLACE_OF, PLACES, checkpoint_path, list_checkpoints, place_dir
from jaxpot.checkpoints.metadata import Metadata
from jaxpot.checkpoints.records import Record, Records, digest_of
from jaxpot.checkpoints.retention import Retention
from jaxpot.checkpoints.verify import verify
from jaxpot.spec import Checkpoint

# tensorstore passes the system's error on as text only.
_FULL = ("No space left on device", "Disk quota exceeded")


@attrs.frozen(kw_only=True, eq=False)
class _Save:
    """What one call of `save` asks for."""

    host: HostState
    iteration: int
    types: frozenset[str]
    metadata: Mapping[str, Any]
    league: Sequence[Mapping[str, Any]] | None
    score: float | None
    created: float
    blocking_seconds: float


class CheckpointWriter:
    """Writes a run's checkpoints and deletes those that the policy no longer keeps.

    Making one settles what a killed writer of the run has left behind; so a run has one writer at a
    time, which the run's lock sees to.

    Args:
        run_dir: The run's directory; checkpoints go to `checkpoints/` below it.
        runs_dir: What the paths in the records are relative to.
        policy: How many checkpoints are kept, and what ranks the best ones.
        record: Takes one `kind = "checkpoint"` record for each stage of each checkpoint; called
            from the background thread too.
    """

    def __init__(self, run_dir: Path, runs_dir: Path, policy: Checkpoint, record: Record) -> None:
        self._run_dir = Path(run_dir)
        self._policy = policy
        self._records = Records(Path(runs_dir), record)
        self._retention = Retention(self._run_dir, policy, self._records.deleted)
        self._pending: Future[None] | None = None
        try:
            _refuse_links(self._run_dir)
            self._retention.settle()
            self._finish_newest()
        except OSError as error:
            text = f"{self._run_dir}: what an earlier attempt left cannot be settled"
            raise CheckpointError(f"{text}: {_reason(error)}") from error
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoints")

    def save(
        self,
        state: Any,
        *,
        iteration: int,
        types: frozenset[str],
        metadata: Mapping[str, Any],
        league: Sequence[Mapping[str, Any]] | None = None,
        score: float | None = None,
        waiting_since: float | None = None,
    ) -> None:
        """Copies a state and has it written; waits while the save before is still being written.

        Args:
            state: A pytree of jax or numpy arrays; it may be donated or changed afterwards.
            iteration: Iterations done in it.
            types: Which of periodic, milestone, best, emergency and final it is. As "best" it is
                written only if its score is among the best.
            metadata: Plain data to keep beside it: counters, spec digest, versions, and the state's
                `digest`, which the records then have.
            league: The league's entries as plain data, for people to read in `league.json`; None
                without a league.
            score: The value that "best" is ranked by.
            waiting_since: When the caller began to be held up by this save, by
                `time.perf_counter`; now when None.

        Raises:
            CheckpointError: The state cannot be saved, or the save before has failed.
        """
        started = time.perf_counter() if waiting_since is None else waiting_since
        if not types or not types <= PLACE_OF.keys():
            raise ValueError(f"types are some of {', '.join(PLACE_OF)}, not {sorted(types)}")
        if "best" in types and (self._policy.best is None or score is None):
            raise ValueError("a best checkpoint needs a policy that ranks it, and a score")
        score = None if score is None else float(score)
        types = self.accepted(types, iteration, score)
        if not types:
            return
        host = copy_to_host(state)
        save = _Save(
            host=host,
            iteration=iteration,
            types=types,
            metadata=json.loads(json.dumps(dict(metadata), allow_nan=False)),
            league=None if league is None else _plain(league),
            score=score if "best" in types else None,
            created=time.time(),
            blocking_seconds=time.perf_counter() - started,
        )
        self._pending = self._thread.submit(self._commit, save)

    def accepted(
        self, types: frozenset[str], iteration: int, score: float | None
    ) -> frozenset[str]:
        """Returns which of `types` would be written: "best" only if the score is among the best.

        Waits while the save before is still being written, since that may change the best ones.

        Raises:
            CheckpointError: The save before has failed.
        """
        self.wait()
        is_best = "best" in types and self._retention.is_best(iteration, score)
        return frozenset(types) if is_best else frozenset(types) - {"best"}

    def wait(self) -> None:
        """Waits until everything saved is on the disk.

        Raises:
            CheckpointError: It could not be written; it is raised once.
        """
        pending = self._pending
        if pending is not None:
            try:
                pending.result()
            finally:
                self._pending = None if pending.done() else pending

    def close(self) -> None:
        """Waits and ends the thread; a failure that nobody waited for stays in the records."""
        self._thread.shutdown(wait=True)

    def supersede_after(self, iteration: int) -> None:
        """Deletes the checkpoints beyond `iteration`, which an attempt that starts there redoes.

        Raises:
            CheckpointError: One cannot be deleted, or the save before has failed.
        """
        self.wait()
        reason = f"superseded by an attempt that starts at iteration {iteration}"
        try:
            self._retention.delete_after(iteration, reason)
        except OSError as error:
            text = f"checkpoints beyond iteration {iteration} cannot be deleted"
            raise CheckpointError(f"{text}: {_reason(error)}") from error

    def _commit(self, save: _Save) -> None:
        """Writes one checkpoint under all its names; runs in the background thread."""
        started = time.perf_counter()
        if not self._run_dir.is_dir():
            # Making it again would let a run go on whose records are gone.
            raise CheckpointError(f"{self._run_dir}: the run's folder was removed")
        open_types = sorted(save.types, key=lambda kind: (PLACES.index(PLACE_OF[kind]), kind))
        try:
            for kind in open_types:
                self._tell("begun", kind, save)
            first = self._path(open_types[0], save)
            written = self._write(first, save)
            sizes = {"bytes": written.bytes, "sha256": written.sha256}
            while open_types:
                path = self._path(open_types[0], save)
                if path != first:
                    link_checkpoint(first, path)
                seconds = time.perf_counter() - started
                self._tell("committed", open_types[0], save, seconds=seconds, **sizes)
                del open_types[0]
            self._retain(save)
        except Exception as error:
            # The thread's boundary: whatever it is, it is recorded, and raised by `wait`.
            path = self._records.relative(self._path(sorted(save.types)[0], save))
            failure = CheckpointError(f"checkpoint {path}: {_reason(error)}")
            seconds = time.perf_counter() - started
            try:
                for kind in open_types:
                    self._tell("failed", kind, save, seconds=seconds, error=str(failure))
            except Exception as second:
                failure.add_note(f"Nor could this be recorded: {second}")
            raise failure from error

    def _finish_newest(self) -> None:
        """Gives the newest checkpoint the names that a killed writer still had to give it.

        The run goes on behind it, so nobody would save that milestone or best one again.
        """
        infos = list_checkpoints(self._run_dir)
        for info in infos:
            if info.iteration != infos[-1].iteration:
                continue
            try:
                metadata = verify(info.path)
            except DamagedCheckpoint:
                continue
            for kind in metadata.types:
                path = checkpoint_path(self._run_dir, PLACE_OF[kind], info.iteration)
                wanted = kind == "milestone" or (
                    kind == "best" and self._retention.is_best(info.iteration, metadata.score)
                )
                if not wanted or path.exists():
                    continue
                link_checkpoint(info.path, path)
                self._records.tell(
                    "committed",
                    kind,
                    info.iteration,
                    path,
                    bytes=metadata.bytes,
                    sha256=metadata.sha256,
                    digest=digest_of(metadata.metadata),
                    score=metadata.score if kind == "best" else None,
                )
                if kind == "best" and metadata.score is not None:
                    self._retention.add_best(info.iteration, metadata.score)

    def _write(self, path: Path, save: _Save) -> Metadata:
        best = self._policy.best if "best" in save.types else None
        return write_checkpoint(
            path,
            save.host,
            iteration=save.iteration,
            created=save.created,
            types=save.types,
            metadata=save.metadata,
            league=save.league,
            score=save.score,
            metric=best.metric if best else None,
        )

    def _retain(self, save: _Save) -> None:
        if save.score is not None:
            self._retention.add_best(save.iteration, save.score)
        if "checkpoints" in {PLACE_OF[kind] for kind in save.types}:
            self._retention.prune(save.iteration)

    def _path(self, kind: str, save: _Save) -> Path:
        return checkpoint_path(self._run_dir, PLACE_OF[kind], save.iteration)

    def _tell(self, state: str, kind: str, save: _Save, **fields: Any) -> None:
        self._records.tell(
            state,
            kind,
            save.iteration,
            self._path(kind, save),
            digest=digest_of(save.metadata),
            score=save.score if kind == "best" else None,
            blocking_seconds=save.blocking_seconds,
            **fields,
        )


def _refuse_links(run_dir: Path) -> None:
    """Refuses to write, and to delete, where a link leads."""
    for directory in (run_dir / "checkpoints", *(place_dir(run_dir, place) for place in PLACES)):
        if directory.is_symlink():
            raise CheckpointError(f"{directory} is a link, and checkpoints are not written there")


def _plain(league: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copies entries; a score that is not finite is written as a text, since JSON has none."""
    return json.loads(json.dumps([dict(entry) for entry in league]), parse_constant=str)


def _reason(error: Exception) -> str:
    text = str(error)
    for full in _FULL:
        if full in text:
            return f"the disk is full ({full}); the checkpoints before it are whole"
    return (error.strerror if isinstance(error, OSError) else text) or repr(error)
