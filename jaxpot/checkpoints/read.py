"""Read checkpoints: verify every bit against `metadata.json`, and restore states.

Reading is bounded, and nothing that `metadata.json` names is opened: the files that are there are
compared with it, so neither a name in it nor a symbolic link can lead outside the checkpoint.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxpot.checkpoints.arrays import KEY_IMPLS, HostState, flatten, read_arrays
from jaxpot.checkpoints.layout import METADATA, STATE, DamagedCheckpoint, StateMismatch
from jaxpot.checkpoints.metadata import File, Leaf, Metadata, decode

_MAX_METADATA = 64 * 2**20  # bytes; a state of 400,000 leaves
_CHUNK = 2**20  # bytes


def verify(path: Path) -> Metadata:
    """Check that a checkpoint has exactly the files that were written, bit for bit.

    Returns:
        The contents of its `metadata.json`.

    Raises:
        DamagedCheckpoint: It has not; the error names the file and the reason.
    """
    metadata = read_metadata(path)
    found = set(_walk(path)) - {METADATA}
    for name in sorted(found | set(metadata.files)):
        if name not in found:
            raise DamagedCheckpoint(path, name, "is missing")
        if name not in metadata.files:
            raise DamagedCheckpoint(path, name, f"is not among the files that {METADATA} lists")
        if _hash(path, name, metadata.files[name].bytes) != metadata.files[name]:
            raise DamagedCheckpoint(path, name, f"its SHA-256 is not the one in {METADATA}")
    return metadata


def read_metadata(path: Path) -> Metadata:
    """Read and check a checkpoint's `metadata.json`, but no other file.

    Raises:
        DamagedCheckpoint: It is missing, or not what was written.
    """
    if path.is_symlink() or not path.is_dir():
        raise DamagedCheckpoint(path, "", "is not a directory")
    with _opened(path, METADATA) as (descriptor, size):
        if size > _MAX_METADATA:
            raise DamagedCheckpoint(path, METADATA, f"has {size} bytes, which is too many")
        raw = b"".join(_chunks(descriptor, size))
    try:
        return decode(raw)
    except ValueError as error:
        raise DamagedCheckpoint(path, METADATA, str(error)) from error


def restore(path: Path, abstract_state: Any) -> tuple[Any, Mapping[str, Any]]:
    """Restore a state, after checking every bit of the checkpoint.

    Args:
        path: The checkpoint's directory.
        abstract_state: The tree to restore into: a pytree of anything with `shape` and `dtype`,
            such as `jax.ShapeDtypeStruct`.

    Returns:
        The state with numpy arrays (and typed PRNG keys), and the metadata given to `save`.

    Raises:
        DamagedCheckpoint: The checkpoint differs from what was written.
        StateMismatch: Its leaves, shapes or dtypes differ from those of `abstract_state`.
    """
    metadata = verify(path)
    arrays = _read_leaves(path, metadata.leaves, abstract_state)
    if HostState(metadata.leaves, arrays).content_sha256() != metadata.content_sha256:
        raise DamagedCheckpoint(path, STATE, "its arrays are not those that were saved")
    return _unflatten(abstract_state, metadata.leaves, arrays), metadata.metadata


def restore_network(path: Path, params: Any, model_state: Any) -> tuple[Any, Any]:
    """Restore only a checkpoint's network, after checking every bit of the checkpoint.

    `params` and `model_state` are the trees to restore into, as for `restore`; the result is in the
    same trees, with numpy arrays.

    Raises:
        DamagedCheckpoint: The checkpoint differs from what was written.
        StateMismatch: Its network has other leaves, shapes or dtypes; the error names each.
    """
    wanted = {"params": params, "model_state": model_state}
    saved = verify(path).leaves
    leaves = {name: leaf for name, leaf in saved.items() if name.partition("/")[0] in wanted}
    # `content_sha256` covers all leaves, so a part of them relies on the files' hashes.
    found = _unflatten(wanted, leaves, _read_leaves(path, leaves, wanted))
    return found["params"], found["model_state"]


def _read_leaves(path: Path, leaves: Mapping[str, Leaf], abstract_state: Any) -> dict[str, Any]:
    """Read arrays once they fit the tree that they are for."""
    wanted = {name: Leaf(str(x.dtype), tuple(x.shape)) for name, x in flatten(abstract_state)}
    if faults := tuple(_mismatches(wanted, leaves)):
        raise StateMismatch(path, faults)
    return read_arrays(path, leaves)


def _mismatches(wanted: Mapping[str, Leaf], found: Mapping[str, Leaf]) -> Iterator[str]:
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            yield f"{name}: the program has it, the checkpoint does not"
        elif name not in wanted:
            yield f"{name}: the checkpoint has it, the program does not"
        elif wanted[name] != found[name]:
            yield f"{name}: the program has {wanted[name]}, the checkpoint {found[name]}"


def _unflatten(abstract_state: Any, leaves: Mapping[str, Leaf], arrays: dict[str, Any]) -> Any:
    import jax

    for name, leaf in leaves.items():
        if leaf.dtype in KEY_IMPLS:
            arrays[name] = jax.random.wrap_key_data(arrays[name], impl=KEY_IMPLS[leaf.dtype])
    structure = jax.tree.structure(abstract_state)
    return jax.tree.unflatten(structure, [arrays[name] for name, _ in flatten(abstract_state)])


def describe_files(path: Path) -> dict[str, File]:
    """Hash the files of a checkpoint that is being written, all but `metadata.json`."""
    return {name: _hash(path, name) for name in sorted(_walk(path)) if name != METADATA}


def _walk(path: Path) -> Iterator[str]:
    """Yield the files below a checkpoint; refuse links and anything else that is not a file."""
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(path / folder) as entries:
                found = list(entries)
        except OSError as error:
            raise DamagedCheckpoint(path, folder, f"cannot be read: {error.strerror}") from error
        for entry in found:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(name)
            elif entry.is_file(follow_symlinks=False):
                yield name
            else:
                raise DamagedCheckpoint(path, name, "is neither a plain file nor a directory")


def _hash(path: Path, name: str, expected: int | None = None) -> File:
    """Hash a file; do not read it if its size is not the expected one."""
    with _opened(path, name) as (descriptor, size):
        if expected is not None and size != expected:
            raise DamagedCheckpoint(path, name, f"has {size} bytes instead of {expected}")
        sha = hashlib.sha256()
        for chunk in _chunks(descriptor, size):
            sha.update(chunk)
    return File(size, sha.hexdigest())


def _chunks(descriptor: int, size: int) -> Iterator[bytes]:
    while size > 0 and (chunk := os.read(descriptor, min(size, _CHUNK))):
        size -= len(chunk)
        yield chunk


@contextmanager
def _opened(path: Path, name: str) -> Iterator[tuple[int, int]]:
    """Open a plain file of a checkpoint, never through a link; yield `(descriptor, bytes)`."""
    # Without O_NONBLOCK, opening a pipe put there by accident would wait forever.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path / name, flags)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise DamagedCheckpoint(path, name, "is not a plain file")
            yield descriptor, status.st_size
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise DamagedCheckpoint(path, name, "is missing") from None
    except OSError as error:
        raise DamagedCheckpoint(path, name, f"cannot be read: {error.strerror}") from error
