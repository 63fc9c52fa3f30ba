"""Restore what an attempt starts from: a checkpoint of its run, or another run's network."""

import os
from pathlib import Path
from typing import Any

import attrs

from jaxpot import checkpoints
from jaxpot.checkpoints import CheckpointInfo
from jaxpot.checkpoints.select import checkpoint_at
from jaxpot.errors import UserError
from jaxpot.journal import RunRecord
from jaxpot.loop.phase import State
from jaxpot.store.runs import find

_CHANGED = (
    "The code of a part has changed since it was saved; resume with the code of then, or start a "
    "new run"
)


@attrs.frozen(kw_only=True, eq=False)
class Parent:
    """The checkpoint whose network a run starts with.

    Attributes:
        params: Its parameters.
        model_state: Its network's untrained variables.
        run: The uid of its run; None if it is not recorded.
        checkpoint: Its directory, relative to the folder of all runs.
        iteration: Iterations done in it.
        sha256: Of its arrays.
    """

    params: Any
    model_state: Any
    run: str | None
    checkpoint: str
    iteration: int
    sha256: str

    def network(self) -> dict[str, Any]:
        """Copy the network to the device, as a state's fields."""
        import jax

        return jax.device_put({"params": self.params, "model_state": self.model_state})

    @property
    def heading(self) -> dict[str, Any]:
        """The entries of the journal's header."""
        return {"parent": self.checkpoint, "parent_sha256": self.sha256}

    @property
    def source(self) -> dict[str, Any]:
        """The payload of the event `init_from`."""
        names = ("run", "checkpoint", "iteration", "sha256")
        return {name: getattr(self, name) for name in names}


@attrs.frozen(kw_only=True, eq=False)
class Restored:
    """What an attempt starts from.

    Attributes:
        state: The state; None to make a fresh one.
        parent: Whose network the fresh state takes over; None to draw the network.
        iteration: Iterations done.
        counters: Cumulative counts.
        digest: The state's digest.
        path: The checkpoint, relative to the folder of all runs.
        later: The checkpoints after it, which the attempt makes again.
        chosen: Whether the user chose it.
        supersedes: Whether to record that `later`, even if empty, are deleted.
        warnings: Damaged checkpoints that were skipped, and those that are superseded.
    """

    state: State | None = None
    parent: Parent | None = None
    iteration: int = 0
    counters: dict[str, int] = attrs.field(factory=dict)
    digest: str = ""
    path: str | None = None
    later: tuple[str, ...] = ()
    chosen: bool = False
    supersedes: bool = False
    warnings: tuple[str, ...] = ()


START = Restored()


def choose(folder: Path, word: str, record: RunRecord) -> CheckpointInfo:
    """Find the checkpoint of the run in `folder` that `jaxpot resume --from WORD` means.

    Raises:
        UserError: The run has no such checkpoint, or an attempt has superseded it.
    """
    info = _at_path(folder, word)
    if info is None and word == "latest":
        info = checkpoints.newest_whole(folder, limit=record.limit)[0]
    if info is None:
        info = checkpoints.select_checkpoint(folder, word)
    if record.limit is not None and info.iteration > record.limit:
        raise UserError(
            f"--from {word}: iteration {info.iteration} is superseded: attempt {record.attempt} "
            f"started again at {record.limit}; choose one up to there"
        )
    return info


def restore_chosen(folder: Path, info: CheckpointInfo, shapes: State) -> Restored:
    """Restore a checkpoint of the run in `folder`.

    Raises:
        UserError: It is damaged, or its arrays do not fit the state that the parts now make.
    """
    try:
        restored = _restored(folder, info, shapes)
    except checkpoints.DamagedCheckpoint as error:
        raise UserError(
            f"{error}; choose another one, or none: then the newest whole one is taken"
        ) from error
    return attrs.evolve(restored, chosen=True, supersedes=True)


def restore_newest(folder: Path, shapes: State, record: RunRecord) -> Restored:
    """Restore the newest whole checkpoint of the run in `folder`.

    Without one the run starts again, from its parent if it has one.

    Raises:
        UserError: The checkpoint's arrays do not fit the state that the parts now make, or the
            parent is missing, damaged or changed.
    """
    newest, skipped = checkpoints.newest_whole(folder, limit=record.limit)
    if newest is not None:
        restored = _restored(folder, newest, shapes)
    else:
        restored = Restored(parent=_recorded_parent(folder, shapes, record))
        restored = attrs.evolve(restored, **_superseded(folder, 0, "the start"))
    damaged = tuple(f"{path} is damaged and passed over: {reason}" for path, reason in skipped)
    return attrs.evolve(
        restored,
        warnings=(*damaged, *restored.warnings),
        supersedes=record.limit is not None,
    )


def find_parent(runs_dir: Path, text: str) -> Path:
    """Find the checkpoint that `jaxpot run --init-from RUN[:SELECTOR]|PATH` means.

    Raises:
        UserError: There is no such run or checkpoint.
    """
    path = checkpoint_at(text, runs_dir)
    if path is not None:
        return path
    if os.sep in text:
        raise _no_checkpoint(f"--init-from {text}", runs_dir)
    run, _, selector = text.partition(":")
    return checkpoints.select_checkpoint(find(runs_dir, run).path, selector or "latest").path


def restore_parent(runs_dir: Path, path: Path, shapes: State) -> Parent:
    """Restore the network of a checkpoint for a fresh state.

    Raises:
        UserError: It is damaged, or its network is another one than the state's.
    """
    try:
        params, model_state = checkpoints.restore_network(
            path, shapes["params"], shapes["model_state"]
        )
        metadata = checkpoints.read_metadata(path)
    except checkpoints.StateMismatch as error:
        faults = "".join(f"\n  {fault}" for fault in error.faults)
        raise UserError(
            f"the network of {path} is not this spec's:{faults}\n"
            "Start from a run of the same [model] and [auxiliary] on the same game, or change this "
            "spec's"
        ) from error
    except checkpoints.DamagedCheckpoint as error:
        raise UserError(f"{error}; start from another checkpoint") from error
    run = metadata.metadata.get("uid")
    return Parent(
        params=params,
        model_state=model_state,
        run=run if isinstance(run, str) else None,
        checkpoint=_relative(path, runs_dir),
        iteration=metadata.iteration,
        sha256=metadata.content_sha256,
    )


def _recorded_parent(folder: Path, shapes: State, record: RunRecord) -> Parent | None:
    if record.parent is None:
        return None
    named = f"run {folder.name} has no checkpoint and started from {record.parent}"
    way_out = "put it back, or start a new run"
    path = folder.parent / record.parent
    try:
        parent = restore_parent(folder.parent, path, shapes)
    except UserError as error:
        raise UserError(f"{named}, which cannot be read; {way_out}\n{error}") from error
    if parent.sha256 != record.parent_sha256:
        raise UserError(f"{named}, which holds other arrays by now; {way_out}")
    return parent


def _restored(folder: Path, info: CheckpointInfo, shapes: State) -> Restored:
    try:
        state, metadata = checkpoints.restore(info.path, shapes)
    except checkpoints.StateMismatch as error:
        raise UserError(f"{error}\n{_CHANGED}") from error
    path = _relative(info.path, folder.parent)
    return Restored(
        state=state,
        iteration=info.iteration,
        counters=metadata["counters"],
        digest=metadata["digest"],
        path=path,
        **_superseded(folder, info.iteration, path),
    )


def _superseded(folder: Path, iteration: int, start: str) -> dict[str, Any]:
    """Find the checkpoints after an iteration, and word a warning about them."""
    later = tuple(
        _relative(info.path, folder.parent)
        for info in checkpoints.list_checkpoints(folder)
        if info.iteration > iteration
    )
    text = f"resuming from {start} supersedes, and deletes, {', '.join(later)}"
    return {"later": later, "warnings": (text,) if later else ()}


def _at_path(folder: Path, word: str) -> CheckpointInfo | None:
    path = checkpoint_at(word, folder.parent)
    if path is None:
        if os.sep in word:
            raise _no_checkpoint(f"--from {word}", folder.parent)
        return None
    for info in checkpoints.list_checkpoints(folder):
        if info.path.samefile(path):
            return info
    raise UserError(
        f"--from {word}: this is no checkpoint of run {folder.name}; to start a new run with its "
        "network, use `jaxpot run SPEC --init-from`"
    )


def _no_checkpoint(what: str, runs_dir: Path) -> UserError:
    return UserError(
        f"{what}: there is no checkpoint (a directory with metadata.json), nor in {runs_dir}"
    )


def _relative(path: Path, runs_dir: Path) -> str:
    return Path(os.path.relpath(path, runs_dir)).as_posix()
