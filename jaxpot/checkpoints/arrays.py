"""A state's arrays: from a pytree to `{path: array}`, to disk through orbax, and back.

The mapping is flat, so that a checkpoint does not depend on the names of classes. jax and orbax
are imported when a state is handled: listing and verifying checkpoints must not wait for them.
"""

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from jaxpot.checkpoints.layout import LEAGUE_STATES, STATE, CheckpointError
from jaxpot.checkpoints.metadata import Leaf

KEY_IMPLS = {"key<fry>": "threefry2x32", "key<rbg>": "rbg", "key<urbg>": "unsafe_rbg"}
"""The implementation of each dtype of typed PRNG keys."""

_DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_DTYPES += ("float16", "bfloat16", "float32", "float64")


@attrs.frozen
class HostState:
    """A copy of a state in host memory, independent of the original.

    Attributes:
        leaves: Dtype and shape of the state's arrays by path, as the program has them.
        arrays: Their numpy copies by the same paths; a typed PRNG key is copied as its key data.
    """

    leaves: Mapping[str, Leaf]
    arrays: Mapping[str, Any]

    @property
    def nbytes(self) -> int:
        """The size of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())

    def content_sha256(self) -> str:
        """Hash paths, dtypes, shapes and bytes, in sorted order of the paths."""
        sha = hashlib.sha256()
        for path in sorted(self.leaves):
            leaf, array = self.leaves[path], self.arrays[path]
            shape = ",".join(map(str, leaf.shape))
            sha.update(f"{path}\0{leaf.dtype}\0{shape}\0{array.nbytes}\0".encode())
            sha.update(_bits(array))
        return sha.hexdigest()


def copy_to_host(state: Any) -> HostState:
    """Copy a pytree of jax or numpy arrays; the originals may be donated or changed afterwards.

    Raises:
        CheckpointError: Two leaves have one path, or a leaf is not an array of a known dtype.
    """
    import jax
    import numpy as np

    leaves: dict[str, Leaf] = {}
    sources: dict[str, Any] = {}
    for path, leaf in flatten(state):
        if path in leaves:
            raise CheckpointError(f"two leaves of the state have the path {path!r}")
        leaves[path] = _described(path, leaf)
        is_key = leaves[path].dtype in KEY_IMPLS
        sources[path] = jax.random.key_data(leaf) if is_key else leaf
    # On CPU, device_get gives views of the devices' buffers, which the next iteration overwrites.
    fetched = jax.device_get(sources)
    return HostState(leaves, {path: np.array(x, order="C") for path, x in fetched.items()})


def write_arrays(directory: Path, host: HostState) -> None:
    """Write the arrays below `directory`, read them back, and compare every bit.

    A league's networks go to `league_states/`, everything else to `state/`.

    Raises:
        CheckpointError: An array reads back different from what was written.
    """
    import numpy as np

    names = [STATE]
    if any(_in_pool(path) for path in host.leaves):
        names.append(LEAGUE_STATES)
    for name in names:
        (directory / name).mkdir()
    for name, paths in _folders(directory, host.leaves):
        with _orbax() as (handler, ocp):
            folder = directory.absolute() / name  # orbax refuses a relative path
            handler.save(folder, args=ocp.args.PyTreeSave({p: host.arrays[p] for p in paths}))
            # Merges the process's database into the checkpoint's, as orbax's checkpointers do.
            handler.finalize(folder)
    found = read_arrays(directory, host.leaves)
    for path, array in host.arrays.items():
        if found[path].dtype != array.dtype or not np.array_equal(_bits(found[path]), _bits(array)):
            raise CheckpointError(f"{path}: reads back different from what was written")


def read_arrays(directory: Path, leaves: Mapping[str, Leaf]) -> dict[str, Any]:
    """Read the given arrays below `directory` as numpy arrays; typed PRNG keys as key data."""
    import numpy as np

    # Orbax does not store empty arrays; dtype and shape say everything about them.
    empty = {path: leaf for path, leaf in leaves.items() if 0 in leaf.shape}
    arrays = {path: np.zeros(leaf.shape, np.dtype(leaf.dtype)) for path, leaf in empty.items()}
    for name, paths in _folders(directory, leaves):
        with _orbax() as (handler, ocp):
            restore = {path: ocp.RestoreArgs(restore_type=np.ndarray) for path in paths}
            item = dict.fromkeys(paths, 0)
            args = ocp.args.PyTreeRestore(item=item, restore_args=restore, partial_restore=True)
            found = handler.restore(directory.absolute() / name, args=args)
        arrays |= {path: np.ascontiguousarray(x).reshape(x.shape) for path, x in found.items()}
    return arrays


def flatten(tree: Any) -> list[tuple[str, Any]]:
    """List a pytree's leaves with their paths, such as `params/dense/kernel`."""
    import jax

    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in leaves]


def _described(path: str, leaf: Any) -> Leaf:
    import jax
    import numpy as np

    if not isinstance(leaf, jax.Array | np.ndarray | np.generic):
        raise CheckpointError(f"{path}: a {type(leaf).__name__} is not an array")
    if str(leaf.dtype) not in (*_DTYPES, *KEY_IMPLS):
        raise CheckpointError(f"{path}: arrays of dtype {leaf.dtype} cannot be saved")
    return Leaf(str(leaf.dtype), tuple(leaf.shape))


def _folders(directory: Path, leaves: Mapping[str, Leaf]) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder that holds some of `leaves`, and the paths of those."""
    stored = [path for path, leaf in leaves.items() if 0 not in leaf.shape]
    # Without a league there is no such folder, and a field called `pool` is one like any other.
    has_league = (directory / LEAGUE_STATES).is_dir()
    pool = {path for path in stored if has_league and _in_pool(path)}
    parts = {STATE: [p for p in stored if p not in pool], LEAGUE_STATES: sorted(pool)}
    yield from ((name, paths) for name, paths in parts.items() if paths)


def _in_pool(path: str) -> bool:
    return path.startswith("pool/")


def _bits(array: Any) -> Any:
    """View an array's bytes, `[N] uint8`: then a NaN equals itself, and -0.0 is not 0.0."""
    return array.reshape(-1).view("uint8")


@contextmanager
def _orbax() -> Iterator[tuple[Any, Any]]:
    """Open orbax's pytree handler.

    One OCDBT database keeps the number of files at about ten, however many leaves there are; zarr 3
    writes 300 MB in 0.6 s, zarr 2 in 1.3 s.
    """
    import orbax.checkpoint as ocp

    # Orbax logs an error and raises it too; the exception is enough.
    logger = logging.getLogger("absl")
    logger.addFilter(_is_not_orbax)
    handler = ocp.PyTreeCheckpointHandler(use_ocdbt=True, use_zarr3=True)
    try:
        yield handler, ocp
    finally:
        handler.close()
        logger.removeFilter(_is_not_orbax)


def _is_not_orbax(record: logging.LogRecord) -> bool:
    return f"{os.sep}orbax{os.sep}" not in record.pathname
