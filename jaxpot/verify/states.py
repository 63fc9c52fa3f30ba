"""Two saved states leaf by leaf: which bits differ, and by how much."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from jaxpot.checkpoints import verify

if TYPE_CHECKING:
    import numpy as np


@attrs.frozen(kw_only=True)
class LeafDifference:
    """A leaf that two states have not in common.

    Attributes:
        path: Its path in the state.
        a: Its dtype and shape in the first state, None where there is none.
        b: Likewise in the second.
        elements: How many elements it has; 0 unless both have the same dtype and shape.
        differing: How many of them differ in a bit.
        largest: The largest difference between two elements that are finite numbers.
    """

    path: str
    a: str | None
    b: str | None
    elements: int = 0
    differing: int = 0
    largest: float | int | None = None


def compare_states(a: Path, b: Path) -> tuple[LeafDifference, ...]:
    """Compares the states of two checkpoints.

    The parameters' leaves come first, what follows from them after.

    Raises:
        DamagedCheckpoint: One of them is not what was written, or of another format.
    """
    in_a, in_b = _leaves(a), _leaves(b)
    paths = in_a.keys() | in_b.keys()
    found = (
        compare_leaf(path, in_a.get(path), in_b.get(path))
        for path in sorted(paths, key=lambda path: (not path.startswith("params/"), path))
    )
    return tuple(each for each in found if each is not None)


def compare_leaf(path: str, a: np.ndarray | None, b: np.ndarray | None) -> LeafDifference | None:
    """Compares one leaf of two states, either of which may lack it; None where they are equal."""
    x, y = _described(a), _described(b)
    if a is None or b is None or x != y:
        return LeafDifference(path=path, a=x, b=y)
    differ = _bits(a) != _bits(b)
    if not differ.any():
        return None
    return LeafDifference(
        path=path,
        a=x,
        b=y,
        elements=a.size,
        differing=int(differ.sum()),
        largest=_largest(a.reshape(-1)[differ], b.reshape(-1)[differ]),
    )


def _leaves(checkpoint: Path) -> dict[str, Any]:
    from jaxpot.checkpoints.arrays import read_arrays

    return read_arrays(checkpoint, verify(checkpoint).leaves)


def _described(leaf: np.ndarray | None) -> str | None:
    return None if leaf is None else f"{leaf.dtype}[{', '.join(map(str, leaf.shape))}]"


def _bits(leaf: np.ndarray) -> np.ndarray:
    """Views elements as unsigned integers, `[N]`: a NaN equals itself, and -0.0 is not 0.0."""
    return leaf.reshape(-1).view(f"uint{8 * leaf.dtype.itemsize}")


def _largest(a: np.ndarray, b: np.ndarray) -> float | int | None:
    import numpy as np

    if a.dtype.kind in "biu":
        # Python's integers neither wrap nor round.
        return max(abs(int(x) - int(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True))
    x, y = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    return float(np.abs(x[finite] - y[finite]).max()) if finite.any() else None
