"""Find where two runs diverge: the iteration, the phase, and the leaves of the state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from jaxpot.checkpoints import verify
from jaxpot.checkpoints.arrays import read_arrays
from jaxpot.checkpoints.metadata import Leaf
from jaxpot.errors import UserError
from jaxpot.journal import Digests, Keys, live_records, records
from jaxpot.verify.compare import Value, differing_keys, journal_rows, paired

if TYPE_CHECKING:
    import numpy as np


class KeyDifference(NamedTuple):
    """A payload key that two iterations have different values for."""

    key: str
    a: Value
    b: Value


@attrs.frozen(kw_only=True)
class Divergence:
    """How far two runs agree.

    Attributes:
        shared: How many iterations both have recorded, up to the first one that differs.
        iteration: The first iteration after which their states differ; None if there is none.
        digests: The two states' digests there.
        payload: The first iteration whose payloads differ, up to `iteration`.
        keys: The keys in both payloads that differ there, without times.
    """

    shared: int
    last: int
    iteration: int | None
    digests: tuple[str | None, str | None] | None
    payload: int | None
    keys: tuple[KeyDifference, ...]

    @property
    def found(self) -> bool:
        """Whether anything differs."""
        return self.iteration is not None or self.payload is not None


@attrs.frozen(kw_only=True)
class Located:
    """The phases and leaves that differ at an iteration, by their recorded digests.

    Attributes:
        phase: The first phase whose output differs. None where none does, and where the states
            differed before the iteration, so that every phase was given something else.
        phases: All phases whose outputs differ, in their order.
    """

    iteration: int
    phase: str | None
    phases: tuple[str, ...]
    leaves: tuple[str, ...]


@attrs.frozen(kw_only=True)
class LeafDifference:
    """A leaf of the state that differs between two checkpoints.

    Attributes:
        a, b: Its dtype and shape in each state; None where it is absent.
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


def compare_records(a: Path, b: Path) -> Divergence:
    """Compare two journals row by row, up to the first iteration whose states differ.

    Raises:
        UserError: They have no iteration in common.
    """
    shared, last = 0, 0
    iteration: int | None = None
    digests: tuple[str | None, str | None] | None = None
    payload: int | None = None
    keys: tuple[KeyDifference, ...] = ()
    for x, y in paired(journal_rows(a), journal_rows(b)):
        if y is None:
            continue
        shared, last = shared + 1, x.iteration
        if payload is None:
            keys = tuple(
                KeyDifference(key, x.values[key], y.values[key])
                for key in differing_keys(x, y)
                if key in x.values and key in y.values
            )
            payload = last if keys else None
        if x.digest != y.digest:
            iteration, digests = last, (x.digest, y.digest)
            break
    if not shared:
        raise UserError(
            f"{a.parent.name} and {b.parent.name} have recorded no iteration in common; "
            "there is nothing to compare"
        )
    return Divergence(
        shared=shared, last=last, iteration=iteration, digests=digests, payload=payload, keys=keys
    )


def locate(a: Path, b: Path, iteration: int) -> Located | None:
    """Compare the digests of phases and leaves in two journals.

    They are compared at the first iteration from `iteration` on that has them in both.
    """
    in_a, in_b = _single_digests(a, iteration), _single_digests(b, iteration)
    both = [at for at in in_a.keys() & in_b.keys() if "leaf" in in_a[at] and "leaf" in in_b[at]]
    if not both:
        return None
    at = min(both)
    order = [
        key.phase or ""
        for record in records(a, Keys)
        for key in record.keys
        if key.name.startswith("timings/")
    ]
    phases = sorted(
        _differing(in_a[at].get("phase", {}), in_b[at].get("phase", {})),
        key=lambda name: (order.index(name) if name in order else len(order), name),
    )
    return Located(
        iteration=at,
        phase=phases[0] if phases and at == iteration else None,
        phases=tuple(phases),
        leaves=tuple(sorted(_differing(in_a[at]["leaf"], in_b[at]["leaf"]))),
    )


def compare_states(a: Path, b: Path) -> tuple[LeafDifference, ...]:
    """Compare the states of two checkpoints, parameters first.

    Raises:
        DamagedCheckpoint: One of them is damaged, or of another format.
    """
    in_a, in_b = (read_arrays(path, verify(path).leaves) for path in (a, b))
    paths = in_a.keys() | in_b.keys()
    found = (
        compare_leaf(path, in_a.get(path), in_b.get(path))
        for path in sorted(paths, key=lambda path: (not path.startswith("params/"), path))
    )
    return tuple(each for each in found if each is not None)


def compare_leaf(path: str, a: np.ndarray | None, b: np.ndarray | None) -> LeafDifference | None:
    """Compare one leaf of two states, either of which may lack it; None where they are equal."""
    x, y = (None if leaf is None else str(Leaf(str(leaf.dtype), leaf.shape)) for leaf in (a, b))
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


def _single_digests(path: Path, start: int) -> dict[int, dict[str, dict[str, str]]]:
    """Return the live digests of leaves and phases by iteration and scope, from `start` on."""
    found: dict[int, dict[str, dict[str, str]]] = {}
    for record in live_records(path, Digests):
        if record.iter >= start:
            found.setdefault(record.iter, {})[record.scope] = record.values
    return found


def _differing(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    return [name for name in dict.fromkeys((*a, *b)) if a.get(name) != b.get(name)]


def _bits(leaf: np.ndarray) -> np.ndarray:
    """View elements as unsigned integers, `[N]`: then a NaN equals itself, and -0.0 is not 0.0."""
    return leaf.reshape(-1).view(f"uint{8 * leaf.dtype.itemsize}")


def _largest(a: np.ndarray, b: np.ndarray) -> float | int | None:
    import numpy as np

    if a.dtype.kind in "biu":
        # Python's integers neither wrap nor round.
        return max(abs(int(x) - int(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True))
    x, y = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    return float(np.abs(x[finite] - y[finite]).max()) if finite.any() else None
