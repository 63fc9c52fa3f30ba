"""The layout of checkpoints on disk, and the errors about them.

    <run>/checkpoints/000100/             periodic, final, emergency
    <run>/checkpoints/milestones/000100/  hard links, never pruned
    <run>/checkpoints/best/000100/        hard links, the top k by a metric, and manifest.json
    .../000100/{metadata.json, state/}    the state after 100 iterations
    .../000100/{league.json, league_states/}    only with a league: its entries, their networks

A directory with such a name is whole. While it is written, replaced or deleted its name starts
with a dot (see `jaxpot.checkpoints.durable`).
"""

import re
from pathlib import Path
from typing import Literal

import attrs

from jaxpot.checkpoints import durable
from jaxpot.paths import sync

Place = Literal["checkpoints", "milestones", "best"]

PLACES: tuple[Place, ...] = ("checkpoints", "milestones", "best")
PLACE_OF: dict[str, Place] = {
    "periodic": "checkpoints",
    "emergency": "checkpoints",
    "final": "checkpoints",
    "milestone": "milestones",
    "best": "best",
}
"""The place of each type of checkpoint."""

METADATA = "metadata.json"
MANIFEST = "manifest.json"
STATE = "state"
LEAGUE = "league.json"
LEAGUE_STATES = "league_states"

_NAME = re.compile(r"[0-9]{6}|[1-9][0-9]{6,17}")


class CheckpointError(Exception):
    """A checkpoint could not be written, or cannot be used; the text says which one and why."""


class DamagedCheckpoint(CheckpointError):  # noqa: N818 - named after the thing, like StateMismatch
    """A checkpoint on disk differs from what was written.

    Attributes:
        file: The file at fault, relative to `path`; empty when it is the directory itself.
    """

    def __init__(self, path: Path, file: str, reason: str) -> None:
        self.path = path
        self.file = file
        self.reason = reason
        super().__init__(f"{path}: damaged: {self.fault}")

    @property
    def fault(self) -> str:
        """The file and what is wrong with it."""
        return f"{self.file}: {self.reason}" if self.file else self.reason


class StateMismatch(CheckpointError):  # noqa: N818
    """A whole checkpoint holds other arrays than the program's state.

    Attributes:
        faults: One line for each leaf at fault, starting with its path.
    """

    def __init__(self, path: Path, faults: tuple[str, ...]) -> None:
        self.path = path
        self.faults = faults
        lines = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(f"{path}: does not fit this program's state:{lines}")


@attrs.frozen(kw_only=True)
class CheckpointInfo:
    """A checkpoint's directory, known by its name only; nothing in it has been read.

    Attributes:
        iteration: Iterations done in the saved state.
    """

    iteration: int
    place: Place
    path: Path


def place_dir(run_dir: Path, place: Place) -> Path:
    """Return the directory that holds the checkpoints of a place."""
    base = run_dir / "checkpoints"
    return base if place == "checkpoints" else base / place


def checkpoint_path(run_dir: Path, place: Place, iteration: int) -> Path:
    """Return a checkpoint's directory; its name has at least six digits."""
    return place_dir(run_dir, place) / f"{iteration:06d}"


def ensure_place(path: Path) -> None:
    """Make a directory for checkpoints inside an existing run's folder, durably.

    Raises:
        OSError: The run's folder is gone (it is not made again), or the disk fails.
    """
    if not path.is_dir():
        if path.parent.name == "checkpoints":
            ensure_place(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def list_checkpoints(run_dir: Path) -> list[CheckpointInfo]:
    """List a run's checkpoints by iteration (as numbers), then by place; read none of them."""
    found = [info for place in PLACES for info in in_place(run_dir, place)]
    return sorted(found, key=lambda info: (info.iteration, PLACES.index(info.place)))


def in_place(run_dir: Path, place: Place) -> list[CheckpointInfo]:
    """List the checkpoints of one place by iteration."""
    directory = place_dir(run_dir, place)
    found: list[CheckpointInfo] = []
    for path in directory.iterdir() if directory.is_dir() else ():
        aside = durable.parse_aside(path)
        final = path if aside is None else aside.final
        if _NAME.fullmatch(final.name) and (aside is None or aside.is_the_original):
            found.append(CheckpointInfo(iteration=int(final.name), place=place, path=path))
    return sorted(found, key=lambda info: info.iteration)
