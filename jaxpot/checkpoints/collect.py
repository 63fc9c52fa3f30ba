"""What of a run's checkpoints can go: what kills left behind, and old ones by rule.

Milestones, the best ones and the newest whole one stay, and so does all beyond that one: a run is
resumed from it, or from one before it should it turn out to be damaged.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import attrs

from jaxpot.checkpoints import durable
from jaxpot.checkpoints.best import ranked, read_policy, scored
from jaxpot.checkpoints.errors import DamagedCheckpoint
from jaxpot.checkpoints.layout import PLACES, CheckpointInfo, Place, in_place, place_dir
from jaxpot.checkpoints.restore import newest_whole
from jaxpot.checkpoints.verify import read_metadata

Told = Mapping[tuple[Place, int], str]
"""The newest state that the journal has of each checkpoint."""


@attrs.frozen
class Collectable:
    """A checkpoint that can go, and why."""

    info: CheckpointInfo
    reason: str


@attrs.frozen(kw_only=True)
class Rule:
    """Which periodic, final and emergency checkpoints are old; none by default.

    Attributes:
        keep_last: All but the newest so many, by iteration.
        created_before: Those that were written before, in Unix seconds. With both, both must hold.
    """

    keep_last: int | None = None
    created_before: float | None = None


def left_behind(run_dir: Path) -> list[Path]:
    """Lists what a killed writer left under names that are none, for the next one to settle."""
    found: list[Path] = []
    for place in PLACES:
        directory = place_dir(run_dir, place)
        for path in sorted(directory.iterdir()) if directory.is_dir() else ():
            what, final = durable.set_aside(path) or ("", path)
            # What was moved out of the way of a replacement that never came is the checkpoint.
            if what and not (what == "old" and not final.exists()):
                found.append(path)
    return found


def collectable(
    run_dir: Path,
    rule: Rule,
    told: Told,
    *,
    limit: int | None = None,
    needed: Collection[Path] = (),
) -> list[Collectable]:
    """Lists the checkpoints of a run that can go.

    Args:
        run_dir: The run's directory.
        rule: Which are old.
        told: What the journal says of them; one that is there though it was deleted is an orphan.
        limit: Iterations beyond which an attempt has superseded them; None if none has.
        needed: Checkpoints that other runs need.
    """
    found = [*_deleted(run_dir, told), *_unlisted_best(run_dir), *_old(run_dir, rule)]
    if not found:
        return []
    newest = newest_whole(run_dir, limit=limit)[0]
    if newest is None:
        return []
    spared = {path.resolve() for path in needed}
    once = {item.info.path: item for item in reversed(found)}
    return [
        once[path]
        for path in sorted(once)
        if once[path].info.iteration < newest.iteration and path.resolve() not in spared
    ]


def _deleted(run_dir: Path, told: Told) -> list[Collectable]:
    return [
        Collectable(info, "the journal says that it was deleted")
        for place in PLACES
        for info in in_place(run_dir, place)
        if told.get((place, info.iteration)) == "deleted"
    ]


def _unlisted_best(run_dir: Path) -> list[Collectable]:
    """Lists those under `best/` that are not among the best, ranked as the run's writer would."""
    directory = place_dir(run_dir, "best")
    policy, listed = read_policy(directory)
    if policy is None:
        return []
    infos = in_place(run_dir, "best")
    entries = [entry for i in infos if (entry := listed.get(i.iteration) or scored(i)) is not None]
    kept = {entry.iteration for entry in ranked(entries, policy)[: policy.keep]}
    reason = "it is not among the best, which best/manifest.json lists"
    return [Collectable(info, reason) for info in infos if info.iteration not in kept | set(listed)]


def _old(run_dir: Path, rule: Rule) -> list[Collectable]:
    if rule.keep_last is None and rule.created_before is None:
        return []
    infos = in_place(run_dir, "checkpoints")
    beyond = infos[: -rule.keep_last] if rule.keep_last is not None else infos
    return [
        Collectable(info, "it is old")
        for info in beyond
        if rule.created_before is None or _created(info) < rule.created_before
    ]


def _created(info: CheckpointInfo) -> float:
    try:
        return read_metadata(info.path).created
    except DamagedCheckpoint:
        return info.path.stat().st_mtime
