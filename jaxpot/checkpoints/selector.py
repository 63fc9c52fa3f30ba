"""Which of a run's checkpoints a user means: `latest`, `best`, `milestone:5000` or `300`."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from jaxpot.checkpoints.best import BestEntry, ranked, read_policy, scored
from jaxpot.checkpoints.errors import DamagedCheckpoint
from jaxpot.checkpoints.layout import (
    MANIFEST,
    METADATA,
    PLACES,
    CheckpointInfo,
    in_place,
    list_checkpoints,
    place_dir,
)
from jaxpot.checkpoints.restore import newest_whole
from jaxpot.checkpoints.verify import verify
from jaxpot.errors import UserError
from jaxpot.paths import expanded

_ITERATIONS = re.compile(r"[0-9]{1,18}")
_SHOWN = 8
_PLACE_WORDS = {"checkpoints": "periodic", "milestones": "milestone", "best": "best"}


def select_checkpoint(run_dir: Path, selector: str) -> CheckpointInfo:
    """Finds the checkpoint of a run that a user's word means.

    Only `latest` looks for one that is whole; the others name one, which restoring checks.

    Args:
        run_dir: The run's directory.
        selector: `latest` (the newest whole one), `best` (the first of the best ones),
            `milestone:N`, or a number of iterations, wherever it lies.

    Raises:
        UserError: There is no such checkpoint; the text lists those there are.
    """
    infos = list_checkpoints(run_dir)
    kind, _, number = selector.partition(":")
    if selector == "latest":
        return _latest(run_dir, infos)
    if selector == "best":
        return _best(run_dir, infos)
    if kind == "milestone" and _ITERATIONS.fullmatch(number):
        found = [i for i in infos if i.place == "milestones" and i.iteration == int(number)]
    elif _ITERATIONS.fullmatch(selector):
        found = [i for i in infos if i.iteration == int(selector)]
    else:
        raise UserError(
            f"{selector!r} names no checkpoint: allowed are latest, best, milestone:N and a number "
            f"of iterations; {_listed(run_dir, infos)}"
        )
    if not found:
        raise _none(run_dir, selector, infos)
    return _first_whole(found)


def checkpoint_at(text: str, runs_dir: Path) -> Path | None:
    """Finds the directory of a checkpoint that a path means, as it stands or in `runs_dir`."""
    for path in (expanded(text), runs_dir / text):
        if (path / METADATA).is_file():
            return path
    return None


def _latest(run_dir: Path, infos: Sequence[CheckpointInfo]) -> CheckpointInfo:
    newest, skipped = newest_whole(run_dir)
    if newest is None:
        reasons = "".join(f"\n  {path} is damaged: {reason}" for path, reason in skipped)
        raise UserError(f"{_none(run_dir, 'latest', infos)}{reasons}")
    return newest


def _best(run_dir: Path, infos: Sequence[CheckpointInfo]) -> CheckpointInfo:
    """Ranks what lies under `best/`, as the run's writer would: the manifest may lag behind it."""
    found = {info.iteration: info for info in in_place(run_dir, "best")}
    if not found:
        raise _none(run_dir, "best", infos)
    if len(found) == 1:
        return next(iter(found.values()))
    policy, listed = read_policy(place_dir(run_dir, "best"))
    if policy is None:
        path = place_dir(run_dir, "best") / MANIFEST
        raise UserError(
            f"{path}: cannot be read, so nothing says whether the highest score or the lowest is "
            f"the best; name one by its iterations; {_listed(run_dir, infos)}"
        )
    entries: list[BestEntry] = []
    for info in found.values():
        entry = listed.get(info.iteration) or scored(info)
        if entry is not None:
            entries.append(entry)
    if not entries:
        raise _none(run_dir, "best", infos)
    return found[ranked(entries, policy)[0].iteration]


def _first_whole(found: Sequence[CheckpointInfo]) -> CheckpointInfo:
    """Prefers a whole one of several that hold one iteration: a copy may be damaged alone."""
    for info in found if len(found) > 1 else ():
        try:
            verify(info.path)
        except DamagedCheckpoint:
            continue
        return info
    return found[0]


def _none(run_dir: Path, selector: str, infos: Sequence[CheckpointInfo]) -> UserError:
    return UserError(
        f"run {run_dir.name} has no checkpoint {selector!r}; {_listed(run_dir, infos)}"
    )


def _listed(run_dir: Path, infos: Iterable[CheckpointInfo]) -> str:
    by_place = {place: [i.iteration for i in infos if i.place == place] for place in PLACES}
    parts = [f"{_PLACE_WORDS[place]} {_numbers(n)}" for place, n in by_place.items() if n]
    return f"there are {', '.join(parts)}" if parts else f"{run_dir.name} has none at all"


def _numbers(iterations: Sequence[int]) -> str:
    shown = ", ".join(map(str, iterations[-_SHOWN:]))
    more = len(iterations) - _SHOWN
    return f"{shown} ({more} older)" if more > 0 else shown
