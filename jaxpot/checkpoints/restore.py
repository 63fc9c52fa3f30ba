"""Reading checkpoints back: the newest whole one, and its state."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxpot.checkpoints.errors import DamagedCheckpoint
from jaxpot.checkpoints.layout import METADATA, CheckpointInfo, list_checkpoints
from jaxpot.checkpoints.verify import verify


def newest_whole(
    run_dir: Path, *, limit: int | None = None
) -> tuple[CheckpointInfo | None, list[tuple[Path, str]]]:
    """Finds the checkpoint to resume from: the one of the highest iteration that is whole.

    All three places are looked at: a run may have saved a milestone or a best one only.

    Args:
        run_dir: The run's directory.
        limit: No checkpoint beyond that iteration is looked at.

    Returns:
        The checkpoint, or None, and those newer than it that are damaged, as (path, reason).
    """
    skipped: list[tuple[Path, str]] = []
    newest_first = sorted(list_checkpoints(run_dir), key=lambda info: -info.iteration)
    for info in newest_first:
        if limit is not None and info.iteration > limit:
            continue
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


def restore_network(path: Path, params: Any, model_state: Any) -> tuple[Any, Any]:
    """Restores a checkpoint's network alone, after checking every bit of the checkpoint.

    Args:
        path: The checkpoint's directory.
        params: The parameters' tree, of anything with `shape` and `dtype`.
        model_state: The tree of the network's untrained variables, likewise.

    Returns:
        Parameters and model state in those trees, with numpy arrays.

    Raises:
        DamagedCheckpoint: The checkpoint is not what was written.
        StateMismatch: Its network has other leaves, shapes or dtypes; the error names each.
    """
    from jaxpot.checkpoints.arrays import load_state

    wanted = {"params": params, "model_state": model_state}
    found = load_state(path, verify(path), wanted, only=tuple(wanted))
    return found["params"], found["model_state"]
