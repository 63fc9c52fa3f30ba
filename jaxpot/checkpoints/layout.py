"""Where checkpoints lie and what they are called.

    <run>/checkpoints/000100/             periodic, final, emergency
    <run>/checkpoints/milestones/000100/  hard links, never pruned
    <run>/checkpoints/best/000100/        hard links, the top k by a metric, and manifest.json
    .../000100/{metadata.json, state/}    the state after 100 iterations
    .../000100/{league.json, league_states/}    with a league: its entries, and their networks

A directory with such a name is whole. One that is being written, replaced or deleted has a name
that starts with a dot (`jaxpot.checkpoints.durable`).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import attrs

from jaxpot.checkpoints import durable
from jaxpot.paths import sync

Place = Literal["checkpoints", "milestones", "best"]
Type = Literal["periodic", "milestone", "best", "emergency", "final"]

PLACES: tuple[Place, ...] = ("checkpoints", "milestones", "best")
PLACE_OF: dict[str, Place] = {
    "periodic": "checkpoints",
    "emergency": "checkpoints",
    "final": "checkpoints",
    "milestone": "milestones",
    "best": "best",
}
CHECKPOINTS = "checkpoints"
METADATA = "metadata.json"
MANIFEST = "manifest.json"
STATE = "state"
LEAGUE = "league.json"
LEAGUE_STATES = "league_states"

_NAME = re.compile(r"[0-9]{6}|[1-9][0-9]{6,17}")


@attrs.frozen(kw_only=True)
class CheckpointInfo:
    """A checkpoint's directory, as its name tells; nothing in it has been read.

    Attributes:
        iteration: Iterations done in the state that it holds.
        place: Which of the three places it lies in.
        path: The directory.
    """

    iteration: int
    place: Place
    path: Path


def ensure_place(path: Path) -> None:
    """Makes a place of checkpoints in a run's folder where it is missing, durably.

    Raises:
        OSError: The run's folder is gone, which is not made again, or the disk fails.
    """
    if not path.is_dir():
        if path.parent.name == CHECKPOINTS:
            ensure_place(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def place_dir(run_dir: Path, place: Place) -> Path:
    """Returns the directory that holds the checkpoints of a place."""
    base = run_dir / CHECKPOINTS
    return base if place == "checkpoints" else base / place


def checkpoint_path(run_dir: Path, place: Place, iteration: int) -> Path:
    """Returns a checkpoint's directory; the name has six digits, or more where it needs more."""
    return place_dir(run_dir, place) / f"{iteration:06d}"


def list_checkpoints(run_dir: Path) -> list[CheckpointInfo]:
    """Lists a run's checkpoints by iteration (as numbers), then by place; reads none of them."""
    found = [info for place in PLACES for info in _in_place(run_dir, place)]
    return sorted(found, key=lambda info: (info.iteration, PLACES.index(info.place)))


def in_place(run_dir: Path, place: Place) -> list[CheckpointInfo]:
    """Lists the checkpoints of one place by iteration."""
    return sorted(_in_place(run_dir, place), key=lambda info: info.iteration)


def _in_place(run_dir: Path, place: Place) -> Iterator[CheckpointInfo]:
    directory = place_dir(run_dir, place)
    if not directory.is_dir():
        return
    for path in directory.iterdir():
        # A killed writer may have moved one out of the way of a replacement that never came.
        what, final = durable.set_aside(path) or ("", path)
        if _NAME.fullmatch(final.name) and (not what or (what == "old" and not final.exists())):
            yield CheckpointInfo(iteration=int(final.name), place=place, path=path)
