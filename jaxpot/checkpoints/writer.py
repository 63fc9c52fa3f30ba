"""Write checkpoints: in one background thread, in order, each under its final name only when whole.

A save goes through these steps: copy the state to host memory, write it under a temporary name,
hash and verify the files, flush them, rename. Milestones and best ones are hard links to it.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs

from jaxpot.checkpoints import durable
from jaxpot.checkpoints.arrays import HostState, copy_to_host, write_arrays
from jaxpot.checkpoints.layout import (
    LEAGUE,
    METADATA,
    PLACE_OF,
    PLACES,
    CheckpointError,
    DamagedCheckpoint,
    checkpoint_path,
    ensure_place,
    list_checkpoints,
    place_dir,
)
from jaxpot.checkpoints.metadata import Metadata, canonical, encode
from jaxpot.checkpoints.read import describe_files, verify
from jaxpot.checkpoints.retention import Record, Records, Retention, facts_of
from jaxpot.spec import Checkpoint

# tensorstore passes the system's error on as text only.
_FULL = ("No space left on device", "Disk quota exceeded")

_OVERHEAD = 2**16  # bytes of a checkpoint apart from its arrays,
_LEAF_OVERHEAD = 2**9  # and of each array's description


@attrs.frozen(kw_only=True, eq=False)
class _Save:
    """The work that `save` hands to the background thread."""

    host: HostState
    metadata: Metadata  # without the hashes, which take long
    league: Sequence[Mapping[str, Any]] | None
    blocking_seconds: float


class CheckpointWriter:
    """Write a run's checkpoints and delete those that the policy no longer keeps.

    Making one cleans up after a killed writer of the run. So a run may have only one writer at a
    time, which the run's lock ensures.

    Args:
        run_dir: The run's directory; checkpoints go to `checkpoints/` below it.
        runs_dir: The folder of all runs; the records' paths are relative to it.
        policy: How many checkpoints are kept, and what ranks the best ones.
        record: Called with a `kind = "checkpoint"` record for each stage of each checkpoint, from
            the background thread too.
    """

    def __init__(self, run_dir: Path, runs_dir: Path, policy: Checkpoint, record: Record) -> None:
        self._run_dir = Path(run_dir)
        self._policy = policy
        self._records = Records(Path(runs_dir), record)
        self._retention = Retention(self._run_dir, policy, self._records)
        self._pending: Future[None] | None = None
        try:
            _refuse_links(self._run_dir)
            self._retention.settle()
            self._finish_newest()
        except OSError as error:
            text = f"{self._run_dir}: cannot clean up after an earlier attempt"
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
        """Copy a state and write it in the background; wait for the save before to finish first.

        Args:
            state: A pytree of jax or numpy arrays; it may be donated or changed afterwards.
            iteration: Iterations done in it.
            types: Some of periodic, milestone, best, emergency and final. "best" is dropped unless
                the score is among the best.
            metadata: Plain data to keep with it: counters, spec digest, versions, and the state's
                `digest`, which is also recorded.
            league: The league's entries as plain data, for people to read in `league.json`; None
                without a league.
            score: The value that "best" is ranked by.
            waiting_since: When the caller began to wait for this save, by `time.perf_counter`; now
                when None.

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
        best = self._policy.best if "best" in types else None
        save = _Save(
            host=host,
            metadata=Metadata(
                iteration=iteration,
                created=time.time(),
                types=tuple(sorted(types)),
                score=score if best else None,
                metric=best.metric if best else None,
                content_sha256="",
                leaves=host.leaves,
                files={},
                metadata=json.loads(json.dumps(dict(metadata), allow_nan=False)),
            ),
            league=None if league is None else _plain(league),
            blocking_seconds=time.perf_counter() - started,
        )
        self._pending = self._thread.submit(self._commit, save)

    def accepted(
        self, types: frozenset[str], iteration: int, score: float | None
    ) -> frozenset[str]:
        """Return which of `types` would be written: "best" only if the score is among the best.

        Waits for the save before, which may change the best ones.

        Raises:
            CheckpointError: The save before has failed.
        """
        self.wait()
        is_best = "best" in types and self._retention.is_best(iteration, score)
        return frozenset(types) if is_best else frozenset(types) - {"best"}

    def wait(self) -> None:
        """Wait until everything saved is on the disk.

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
        """Wait and end the thread; a failure that `wait` has not raised is only recorded."""
        self._thread.shutdown(wait=True)

    def supersede_after(self, iteration: int) -> None:
        """Delete the checkpoints after `iteration`, which an attempt that starts there redoes.

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
        """Write one checkpoint under all its names; runs in the background thread."""
        started = time.perf_counter()
        if not self._run_dir.is_dir():
            # Making it again would let a run go on without its journal.
            raise CheckpointError(f"{self._run_dir}: the run's folder was removed")
        metadata = save.metadata
        open_types = sorted(metadata.types, key=lambda kind: PLACES.index(PLACE_OF[kind]))
        try:
            for kind in open_types:
                self._add("begun", kind, save)
            first = self._path(open_types[0], save)
            metadata = attrs.evolve(metadata, content_sha256=save.host.content_sha256())
            written = write_checkpoint(first, save.host, metadata, league=save.league)
            sizes = {"bytes": written.bytes, "sha256": written.sha256}
            while open_types:
                path = self._path(open_types[0], save)
                if path != first:
                    link_checkpoint(first, path)
                seconds = time.perf_counter() - started
                self._add("committed", open_types[0], save, seconds=seconds, **sizes)
                del open_types[0]
            if metadata.score is not None:
                self._retention.add_best(metadata.iteration, metadata.score)
            if any(PLACE_OF[kind] == "checkpoints" for kind in metadata.types):
                self._retention.prune(metadata.iteration)
        except Exception as error:
            # The thread ends here: any error is recorded, and raised by `wait`.
            path = self._records.relative(self._path(metadata.types[0], save))
            failure = CheckpointError(f"checkpoint {path}: {_reason(error)}")
            seconds = time.perf_counter() - started
            try:
                for kind in open_types:
                    self._add("failed", kind, save, seconds=seconds, error=str(failure))
            except Exception as second:
                failure.add_note(f"This could not be recorded either: {second}")
            raise failure from error

    def _finish_newest(self) -> None:
        """Link the newest checkpoint as milestone or best where a killed writer did not get to it.

        The run resumes from it and goes on, so it would never save that iteration again.
        """
        infos = list_checkpoints(self._run_dir)
        for info in (each for each in infos if each.iteration == infos[-1].iteration):
            metadata = _whole(info.path)
            if metadata is None:
                continue
            for kind in metadata.types:
                path = checkpoint_path(self._run_dir, PLACE_OF[kind], info.iteration)
                score = metadata.score if kind == "best" else None
                is_best = self._retention.is_best(info.iteration, score)
                if path.exists() or not (kind == "milestone" or is_best):
                    continue
                link_checkpoint(info.path, path)
                facts = facts_of(metadata, kind)
                self._records.add("committed", kind, info.iteration, path, **facts)
                if score is not None:
                    self._retention.add_best(info.iteration, score)

    def _path(self, kind: str, save: _Save) -> Path:
        return checkpoint_path(self._run_dir, PLACE_OF[kind], save.metadata.iteration)

    def _add(self, state: str, kind: str, save: _Save, **facts: Any) -> None:
        facts |= {
            "digest": save.metadata.digest,
            "score": save.metadata.score if kind == "best" else None,
            "blocking_seconds": save.blocking_seconds,
        }
        path = self._path(kind, save)
        self._records.add(state, kind, save.metadata.iteration, path, **facts)


def write_checkpoint(
    final: Path,
    host: HostState,
    metadata: Metadata,
    *,
    league: Sequence[Mapping[str, Any]] | None = None,
) -> Metadata:
    """Write a state under `final`, replacing another one; do nothing if it is there already.

    Returns:
        The checkpoint's metadata, now with its files.

    Raises:
        CheckpointError: An array reads back different from what was written.
        OSError: The disk is full or fails. No partial checkpoint stays.
    """
    known = _whole(final)
    if known is not None and known.same_state(metadata):
        if set(metadata.types) <= set(known.types):
            return known
        metadata = attrs.evolve(metadata, types=tuple(sorted({*known.types, *metadata.types})))
    ensure_place(final.parent)
    # Orbax answers a disk that fills up with pages of traces, so check for space before.
    durable.require_space(final.parent, host.nbytes + _OVERHEAD + _LEAF_OVERHEAD * len(host.leaves))
    temporary = durable.aside(final, "tmp")
    try:
        temporary.mkdir()
        write_arrays(temporary, host)
        if league is not None:
            (temporary / LEAGUE).write_bytes(canonical({"entries": list(league)}))
        metadata = attrs.evolve(metadata, files=describe_files(temporary))
        (temporary / METADATA).write_bytes(encode(metadata))
        durable.sync_tree(temporary)
        verify(temporary)
        durable.publish(temporary, final)
    finally:
        durable.discard(temporary)
    return metadata


def link_checkpoint(source: Path, final: Path) -> None:
    """Give the checkpoint `source` a second name, sharing its files."""
    known = _whole(final)
    if known is not None and known == verify(source):
        return
    ensure_place(final.parent)
    temporary = durable.aside(final, "tmp")
    try:
        durable.link_tree(source, temporary)
        durable.sync_tree(temporary)
        durable.publish(temporary, final)
    finally:
        durable.discard(temporary)


def _whole(path: Path) -> Metadata | None:
    try:
        return verify(path)
    except DamagedCheckpoint:
        return None


def _refuse_links(run_dir: Path) -> None:
    """Refuse to write and delete through symbolic links."""
    for directory in (place_dir(run_dir, place) for place in PLACES):
        if directory.is_symlink():
            raise CheckpointError(f"{directory} is a link, and checkpoints are not written there")


def _plain(league: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copy entries; a score that is not finite becomes a string, since JSON has none."""
    return json.loads(json.dumps([dict(entry) for entry in league]), parse_constant=str)


def _reason(error: Exception) -> str:
    text = str(error)
    for full in _FULL:
        if full in text:
            return f"the disk is full ({full}); the checkpoints before it are whole"
    return (error.strerror if isinstance(error, OSError) else text) or repr(error)
