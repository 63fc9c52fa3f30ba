"""Reading checkpoints back: the newest whole one, and its state."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxpot.checkpoints.errors import DamagedCheckpoint
from jaxpot.checkpoints.layout import METADATA, CheckpointInfo, list_checkpoints
from jaxpot.checkpoints.verify import verify


def newest_whole(run_dir: Path) -> tuple[CheckpointInfo | None, list[tuple[Path, str]]]:
    """Finds the checkpoint to resume from: the one of the highest iteration that is whole.

    All three places are looked at: a run may have saved a milestone or a best one only.

    Returns:
        The checkpoint, or None, and those newer than it that are damaged, as (path, reason).
    """
    skipped: list[tuple[Path, str]] = []
    newest_first = sorted(list_checkpoints(run_dir), key=lambda info: -info.iteration)
    for info in newest_first:
        try:
            metadata = verify(info.path)
            if metadata.iteration != info.iteration:
                reason = f"holds iteration {metadata.iteration}, not the one it is named after"
                raise DamagedCheckpoint(info.path, METADATA, reason)
        except DamagedCheckpoint as damage:
            skipped.append((info.path, damage.fault))
        else:
            return info, skipped
    return None, skipped


def restore(path: Path, abstract_state: Any) -> tuple[Any, Mapping[str, Any]]:
    """Restores a state, after checking every bit of the checkpoint.

    Args:
        path: The checkpoint's directory.
        abstract_state: A pytree of anything with `shape` and `dtype`, such as
            `jax.ShapeDtypeStruct`: the tree to restore into.

    Returns:
        The state, in the tree of `abstract_state`, with numpy arrays (and typed PRNG keys where it
        has them), and the metadata that was given to `save`.

    Raises:
        DamagedCheckpoint: The checkpoint is not what was written.
        StateMismatch: It has other leaves, shapes or dtypes than `abstract_state`.
    """
    from jaxpot.checkpoints.arrays import load_state

    metadata = verify(path)
    return load_state(path, metadata, abstract_state), metadata.metadata
